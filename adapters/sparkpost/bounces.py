"""Maps SparkPost's bounce classes: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes.

Class 26 is newer than that page: https://docs.airship.com/platform/email/bounce-handling/, by a company that sends
through SparkPost.
"""

#: Our reason for each `bounce_class`.
CLASSES: dict[str, str] = {
    "1": "unknown",
    "10": "invalid_address",
    "20": "unknown",
    "21": "unreachable",
    "22": "unreachable",
    "23": "content",
    "24": "unreachable",
    "25": "blocked",
    "26": "blocked",
    "30": "invalid_address",
    "40": "unknown",
    "50": "blocked",
    "51": "spam",
    "52": "spam",
    "53": "content",
    "54": "blocked",
    "60": "unknown",
    "70": "unreachable",
    "80": "unknown",
    "90": "opted_out",
    "100": "blocked",
}
#: Event types of classes that are not bounces: failed or suppressed by SparkPost's policies, automatic replies,
#: subscribe and unsubscribe requests.
OTHERWISE: dict[str, str] = {
    "25": "MessageRejected",
    "26": "MessageRejected",
    "60": "ProviderEventReceived",
    "80": "RecipientSubscribed",
    "90": "RecipientUnsubscribed",
    "100": "ProviderEventReceived",
}
