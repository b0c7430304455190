"""The check of Kubernetes's resources against the schemas of their kinds."""

from typing import Any

import pytest

from tests.support.resources import faults


def scaled(**spec: Any) -> dict[str, Any]:
    """An object of KEDA, as the chart has it."""
    trigger = {"type": "kafka", "metadata": {"topic": "webhooks.received"}}
    given = {"scaleTargetRef": {"name": "worker"}, "minReplicaCount": 2, "triggers": [trigger]}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "worker"},
        "spec": given | spec,
    }


def disruptions(**spec: Any) -> dict[str, Any]:
    """A disruption budget."""
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "door"}, "spec": spec}


def test_a_resource_that_fits_has_no_faults() -> None:
    """Neither a custom one nor one of Kubernetes's own."""
    assert [*faults(scaled())] == []
    assert [*faults(disruptions(maxUnavailable="50%"))] == []


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"minReplicas": 2}, "$.spec: Additional properties are not allowed ('minReplicas' was unexpected)"),
        ({"minReplicaCount": "2"}, "$.spec.minReplicaCount: '2' is not of type 'integer'"),
        ({"triggers": None}, "$.spec.triggers: None is not of type 'array'"),
    ],
)
def test_a_misspelt_name_and_a_wrong_type_are_found(spec: dict[str, Any], fault: str) -> None:
    """A misspelt name too, which an API server would drop without a word."""
    assert [*faults(scaled(**spec))] == [fault]


def test_kinds_of_kubernetes_and_metadata_are_checked_too() -> None:
    """A number or a text may stand for a count, a truth value may not; a label is a text."""
    (fault,) = faults(disruptions(maxUnavailable=True))
    assert fault.startswith("$.spec.maxUnavailable: True is not of type")
    (fault,) = faults(disruptions(maxUnavailable=1) | {"metadata": {"name": "door", "labels": {"tier": 1}}})
    assert fault == "$.metadata.labels.tier: 1 is not of type 'string'"
