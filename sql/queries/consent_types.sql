-- Part of the statements that read consents out of the log: the events that are opt-outs or opt-ins.
('RecipientUnsubscribed', 'RecipientSubscribed')
