-- Sets the fence of an erasure; returns how many handles are found by nobody any more.
SELECT fence_handles(%(id)s) AS handles
