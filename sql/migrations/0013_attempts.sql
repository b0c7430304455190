-- Each attempt is written by `begin`, which reads its message: the check that there is one cost a third of that statement, and
-- locked the message's row once more.
ALTER TABLE attempts DROP CONSTRAINT attempts_message;
