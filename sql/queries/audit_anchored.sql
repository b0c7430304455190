-- The batches that sinks took anchors of, each once for each of its heads, in order, after a batch.
SELECT batch, head, min(at) AS at FROM audit_anchors WHERE batch > %(after)s AND batch <= %(upto)s GROUP BY batch, head ORDER BY batch
