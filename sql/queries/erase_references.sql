-- By which references the interactions were known that an erasure removed.
SELECT reference FROM erased_references WHERE erasure_id = %(id)s
