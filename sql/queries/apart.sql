-- Part of the statements about retention by channel: that an event `e` belongs to no interaction, and says something; as in the index
-- `events_apart`.
e.reference IS NULL AND e.type IN ('ProviderEventReceived', 'RecipientUnsubscribed', 'RecipientSubscribed')
AND (e.payload - ARRAY['basis', 'list', 'unsubscribeGroup'] <> '{}' OR e.error ? 'text')
