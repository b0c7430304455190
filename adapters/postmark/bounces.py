"""Postmark's types of bounces, as events and reasons: https://postmarkapp.com/developer/api/bounce-api#bounce-types."""

TYPES: dict[str, tuple[str, str]] = {
    "HardBounce": ("MessageBounced", "invalid_address"),
    # The server did not take it yet, and Postmark tries again.
    "Transient": ("MessageDelayed", "unreachable"),
    "Unsubscribe": ("RecipientUnsubscribed", "unknown"),
    "Subscribe": ("RecipientSubscribed", "unknown"),
    # An answer to a message that arrived.
    "AutoResponder": ("ProviderEventReceived", "unknown"),
    "AddressChange": ("ProviderEventReceived", "unknown"),
    "DnsError": ("MessageBounced", "unreachable"),
    "SpamNotification": ("MessageBounced", "spam"),
    "OpenRelayTest": ("ProviderEventReceived", "unknown"),
    "Unknown": ("MessageBounced", "unknown"),
    # Full or disabled mailboxes; Postmark has given up.
    "SoftBounce": ("MessageBounced", "unreachable"),
    "VirusNotification": ("MessageBounced", "content"),
    # The recipient's server waits for a person to answer it.
    "ChallengeVerification": ("MessageDelayed", "blocked"),
    "BadEmailAddress": ("MessageRejected", "invalid_address"),
    "SpamComplaint": ("MessageComplained", "unknown"),
    "ManuallyDeactivated": ("MessageRejected", "blocked"),
    "Unconfirmed": ("MessageRejected", "blocked"),
    "Blocked": ("MessageBounced", "blocked"),
    "SMTPApiError": ("MessageRejected", "unknown"),
    # Of a mail that came in, which our own URL did not take.
    "InboundError": ("ProviderEventReceived", "unknown"),
    "DMARCPolicy": ("MessageBounced", "blocked"),
    "TemplateRenderingFailed": ("MessageRejected", "content"),
}
