-- Part of the statements that relate handles: the events that link handles or decide on customers.
('HandleLinked', 'HandleUnlinked', 'CustomersMerged', 'CustomersSplit', 'CustomerChangeUndone')
