"""From a broker of MQTT to the door: what devices publish is posted as webhooks, and acknowledged once it is kept."""
