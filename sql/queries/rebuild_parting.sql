-- Whether an erasure has begun to take interactions apart, and not yet made them anew.
SELECT EXISTS (SELECT FROM threadline.erased_parts WHERE interaction_id IS NOT NULL) AS parting
