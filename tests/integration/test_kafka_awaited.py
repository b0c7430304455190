"""A worker that starts while Kafka is away waits for it, as one does that loses it later."""

from tests.integration.worker import at_work, serving


async def test_a_worker_waits_for_kafka_at_its_start() -> None:
    """It says what it waits for, and works once Kafka is there, without having ended."""
    async with serving() as servers, at_work(servers) as worker:
        await servers.kafka.stop()
        worker.launch()
        page = await worker.until(lambda page: page["parts"]["watch"]["failing"].get("kafka"))
        assert page["status"] == "not ready" and page["parts"]["inbound"]["status"] == "not ready"
        assert "Unable to bootstrap" in page["failing"]["kafka"] and '"what": "kafka"' in worker.log
        await servers.kafka.start()
        await servers.post()
        await worker.until(lambda page: page["status"] == "ok" and page["lag"].get("events.reported") == 0)
        assert (await worker.end())[0] == 0
