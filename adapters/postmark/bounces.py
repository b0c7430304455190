"""Maps Postmark's bounce types to events and reasons: https://postmarkapp.com/developer/api/bounce-api#bounce-types."""

TYPES: dict[str, tuple[str, str]] = {
    "HardBounce": ("MessageBounced", "invalid_address"),
    # The server has not accepted it yet, and Postmark retries.
    "Transient": ("MessageDelayed", "unreachable"),
    "Unsubscribe": ("RecipientUnsubscribed", "unknown"),
    "Subscribe": ("RecipientSubscribed", "unknown"),
    # An automatic reply to a message that was delivered.
    "AutoResponder": ("ProviderEventReceived", "unknown"),
    "AddressChange": ("ProviderEventReceived", "unknown"),
    "DnsError": ("MessageBounced", "unreachable"),
    "SpamNotification": ("MessageBounced", "spam"),
    "OpenRelayTest": ("ProviderEventReceived", "unknown"),
    "Unknown": ("MessageBounced", "unknown"),
    # Full or disabled mailboxes; Postmark does not retry.
    "SoftBounce": ("MessageBounced", "unreachable"),
    "VirusNotification": ("MessageBounced", "content"),
    # The recipient's server waits for a person's reply.
    "ChallengeVerification": ("MessageDelayed", "blocked"),
    "BadEmailAddress": ("MessageRejected", "invalid_address"),
    "SpamComplaint": ("MessageComplained", "unknown"),
    "ManuallyDeactivated": ("MessageRejected", "blocked"),
    "Unconfirmed": ("MessageRejected", "blocked"),
    "Blocked": ("MessageBounced", "blocked"),
    "SMTPApiError": ("MessageRejected", "unknown"),
    # An inbound mail that our own URL did not accept.
    "InboundError": ("ProviderEventReceived", "unknown"),
    "DMARCPolicy": ("MessageBounced", "blocked"),
    "TemplateRenderingFailed": ("MessageRejected", "content"),
}
