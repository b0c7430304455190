-- Subscribes to notifications of accepted requests.
LISTEN threadline_messages
