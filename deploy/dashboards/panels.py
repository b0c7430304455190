"""What the dashboards show: their panels, and each panel's queries."""

from typing import NamedTuple

RATE = "[$__rate_interval]"


class Panel(NamedTuple):
    """A panel: its title, the unit of its values (as Grafana names units), and queries in PromQL with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]


def rate(metric: str, by: str) -> tuple[tuple[str, str], ...]:
    """Return the query of a counter's rate, by one label."""
    return ((f"sum by ({by}) (rate({metric}{RATE}))", f"{{{{{by}}}}}"),)


def quantiles(metric: str, by: str = "") -> tuple[tuple[str, str], ...]:
    """Return the queries of a histogram's median and 99th percentile, by a label if there is one."""
    labels, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return tuple(
        (f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{RATE})))", f"p{round(100 * q)}{legend}")
        for q in (0.5, 0.99)
    )


def now(metric: str, legend: str = "{{instance}}") -> tuple[tuple[str, str], ...]:
    """Return the query of a metric's present value."""
    return ((metric, legend),)


def or_none(query: str, legend: str) -> tuple[tuple[str, str], ...]:
    """Return a query whose series exist only while something is wrong, with 0 where there is none."""
    return ((f"({query}) or vector(0)", legend),)


#: File's name → title and panels.
DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "ingest": (
        "Threadline: ingest",
        (
            Panel("Webhooks kept", "reqps", rate("threadline_webhooks_kept_total", "source")),
            Panel("Requests refused", "reqps", rate("threadline_webhooks_refused_total", "source, status")),
            Panel("The door's answers", "reqps", rate("threadline_door_answers_total", "status")),
            Panel("From a request to its answer", "s", quantiles("threadline_door_seconds")),
            Panel("Size of webhooks", "bytes", quantiles("threadline_webhook_bytes")),
            Panel("Requests in progress", "short", now("threadline_door_in_flight")),
            Panel("Connections", "short", now("threadline_connections")),
            Panel("Records in the spool", "short", now("threadline_spool_records")),
            Panel("Age of the spool", "s", now("threadline_spool_age_seconds")),
            Panel("From receipt to the timeline", "s", quantiles("threadline_processing_latency_seconds")),
            Panel("Records not read yet", "short", (("max by (topic) (threadline_consumer_lag)", "{{topic}}"),)),
            Panel(
                "Age of the oldest unread record",
                "s",
                (("max by (topic) (threadline_consumer_lag_seconds)", "{{topic}}"),),
            ),
        ),
    ),
    "providers": (
        "Threadline: providers",
        (
            Panel(
                "Messages by what came of them", "mps", rate("threadline_provider_messages_total", "account, outcome")
            ),
            Panel(
                "Share that was not accepted",
                "percentunit",
                (
                    (
                        f'(sum by (account) (rate(threadline_provider_messages_total{{outcome!="accepted"}}{RATE})) '
                        f"or 0 * sum by (account) (rate(threadline_provider_messages_total{RATE}))) "
                        f"/ sum by (account) (rate(threadline_provider_messages_total{RATE}))",
                        "{{account}}",
                    ),
                ),
            ),
            Panel("How long a call takes", "s", quantiles("threadline_provider_seconds", "account")),
            Panel("Calls", "reqps", rate("threadline_provider_seconds_count", "adapter, account")),
            Panel(
                "Accounts that are paused",
                "short",
                or_none("count by (account) (threadline_account_resting)", "{{account}}"),
            ),
            Panel("Webhooks by source", "reqps", rate("threadline_webhooks_kept_total", "source")),
            Panel(
                "Signatures refused",
                "reqps",
                or_none(
                    f'sum by (source) (rate(threadline_webhooks_refused_total{{status="401"}}{RATE}))', "{{source}}"
                ),
            ),
            Panel(
                "Words that are not known",
                "short",
                or_none("sum by (source, word) (threadline_worker_unknown_events_total)", "{{source}} {{word}}"),
            ),
        ),
    ),
    "sending": (
        "Threadline: sending",
        (
            Panel("Requests accepted", "mps", ((f"sum(rate(threadline_worker_requests_total{RATE}))", "by Kafka"),)),
            Panel("Answers of the API", "reqps", rate("threadline_api_answers_total", "status")),
            Panel("The API: from request to answer", "s", quantiles("threadline_api_seconds")),
            Panel("Outcomes of claims", "mps", rate("threadline_messages_total", "state")),
            Panel("Messages that wait", "short", or_none("max by (state) (threadline_messages_waiting)", "{{state}}")),
            Panel(
                "Age of the oldest", "s", or_none("max by (state) (threadline_messages_oldest_seconds)", "{{state}}")
            ),
            Panel("Longest due", "s", (("max(threadline_messages_overdue_seconds)", "overdue"),)),
            Panel("Events relayed", "short", ((f"sum(rate(threadline_relayed_events_total{RATE}))", "events/s"),)),
            Panel("Callbacks by outcome", "reqps", rate("threadline_deliveries_total", "outcome")),
            Panel("Longest overdue callback", "s", (("max(threadline_deliveries_overdue_seconds)", "overdue"),)),
        ),
    ),
    "store": (
        "Threadline: store",
        (
            Panel("Events appended", "short", ((f"sum(rate(threadline_worker_events_total{RATE}))", "events/s"),)),
            Panel("Repeated events", "short", ((f"sum(rate(threadline_worker_duplicates_total{RATE}))", "events/s"),)),
            Panel("Connections to PostgreSQL", "short", now("threadline_pool_connections", "{{instance}} {{state}}")),
            Panel("Age of the horizon", "s", (("max(threadline_horizon_age_seconds)", "oldest transaction"),)),
            Panel("The relay's lag", "s", (("max(threadline_relay_lag_seconds)", "oldest event"),)),
            Panel("Events not relayed yet", "short", (("max(threadline_relay_lag_events)", "events"),)),
            Panel("Memory", "bytes", now("process_resident_memory_bytes")),
            Panel("Processor time", "percentunit", ((f"rate(process_cpu_seconds_total{RATE})", "{{instance}}"),)),
        ),
    ),
    "faults": (
        "Threadline: faults",
        (
            Panel("Uptime", "s", (("threadline_uptime_seconds or threadline_worker_uptime_seconds", "{{instance}}"),)),
            Panel(
                "Alerts that fire",
                "short",
                or_none('count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),
            ),
            Panel(
                "Answers of 5xx",
                "reqps",
                or_none(
                    f'sum by (status) (rate(threadline_door_answers_total{{status=~"5.."}}{RATE}))', "door {{status}}"
                )
                + or_none(
                    f'sum by (status) (rate(threadline_api_answers_total{{status=~"5.."}}{RATE}))', "API {{status}}"
                ),
            ),
            Panel(
                "Dead letters", "short", ((f"sum(increase(threadline_worker_dead_letters_total{RATE}))", "records"),)
            ),
            Panel("Parts that fail", "short", (("max by (part) (threadline_part_failing)", "{{part}}"),)),
            Panel("Kafka can be reached", "bool_yes_no", now("threadline_kafka_reachable")),
            Panel("Webhooks held back", "bool_yes_no", now("threadline_webhooks_held_back")),
            Panel("Open gaps", "short", (("max(threadline_gaps_open)", "gaps"),)),
            Panel("Conditions that need an operator", "short", now("threadline_alarms")),
            Panel("Clients' faults", "short", or_none("sum by (what) (threadline_tenant_faults)", "{{what}}")),
            Panel("Retries", "short", ((f"sum(rate(threadline_worker_retries_total{RATE}))", "tries/s"),)),
            Panel("Callbacks that are disabled", "short", (("max(threadline_callbacks_disabled)", "callbacks"),)),
        ),
    ),
}
