-- Makes the parts of a new rebuild, all at the log's beginning.
INSERT INTO threadline_rebuild.progress (part, made_with)
SELECT part, %(made_with)s FROM generate_series(-%(parts)s::integer, %(parts)s::integer) AS part WHERE part <> 0
