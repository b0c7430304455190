-- Notes that a sink took the anchor of a batch.
INSERT INTO audit_anchors (sink, batch, head) VALUES (%(sink)s, %(batch)s, %(head)s)
