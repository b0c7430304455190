-- Be told when requests are accepted.
LISTEN threadline_messages
