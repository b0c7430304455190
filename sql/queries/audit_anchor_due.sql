-- Whether a sink took its last anchor at least so long ago, or never did.
SELECT coalesce(max(at) <= now() - %(every)s::interval, true) AS due FROM audit_anchors WHERE sink = %(sink)s
