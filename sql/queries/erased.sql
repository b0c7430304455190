-- Part of the statements that write under handles: raises 40E01 if one of them was erased or removed since it was found.
CASE WHEN EXISTS (
    SELECT FROM unnest(%(handles)s::uuid[]) AS used (id)
    -- A scalar subquery is looked up by index, whatever the planner's estimate of the table's size.
    WHERE (SELECT h.erased_at IS NULL FROM handles AS h WHERE h.id = used.id) IS NOT TRUE
) THEN handle_erased() END
