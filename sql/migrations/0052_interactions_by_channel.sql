-- The index that finds a channel's old interactions, with the channel first. With the client first it seemed as good as the primary
-- key for finding one interaction, as long as the table had no statistics: each event that the relay read then read all interactions
-- of its client.
DROP INDEX interactions_channel;
CREATE INDEX interactions_channel ON interactions (coalesce(channel, ''), client_id, "timestamp");
