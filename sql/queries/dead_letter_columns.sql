-- Part of the queries of dead letters: the columns of a dead letter `d`, without its record; its reason may be sealed (`sql.letters.open_letter`).
    d.id, d.topic, d.partition, d."offset", d.webhook_id, d.client_id, d.source, d.reason, d.general, d.shape, d.bad, d.size, encode(d.digest, 'hex') AS digest,
    d.value IS NOT NULL AS whole, d.recorded_at, d.replay_of, d.replays, d.replay_due, d.replayed_at, d.replayed_by, d.outcome,
    d.outcome_at, d.outcome_events, d.became, d.discarded_at, d.discarded_by, d.discard_reason, d.record_removed, d.sealed_reason
