-- Edits and deletions of messages. The last edit is the one with the greatest time, and of several at that time the one with
-- the greatest text, so that the order of arrival does not matter.

ALTER TABLE interactions ADD COLUMN edited_at timestamptz;
ALTER TABLE interactions ADD COLUMN deleted_at timestamptz;
ALTER TABLE interactions ADD COLUMN edit text COLLATE "C";

COMMENT ON COLUMN interactions.edit IS 'The last edit: its time (UTC, 20 digits), E''\x1f'', its content; it replaces keys of content.';
