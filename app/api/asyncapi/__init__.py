"""Describes the Kafka topics as an AsyncAPI 3.0 document, which GET /asyncapi.json serves (`app.api.openapi`)."""
