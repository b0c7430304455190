-- Bounds the wait for the lock of `erase_lock`, since all who want to append queue behind it.
SELECT set_config('lock_timeout', '3s', true)
