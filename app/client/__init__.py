"""A client of the API for other programs, to be imported from `app.client`:

    from app.client import Client, routes

    with Client("https://threadline.example.com", key) as client:
        customer = client.call(routes.find_customer(handle="+15551234567"))
        for page in client.pages(routes.read_timeline(customer["customerId"])):
            ...
        client.call(routes.send_messages({"channel": "sms", "to": "+15551234567", "body": "On its way."}))

`AsyncClient` is the same for asyncio. `routes` has a function for each operation of `/v1` and `/api`, with the types of what it
takes and gives. It needs httpx and orjson, and nothing else of Threadline.
"""

from app.client import routes
from app.client.answers import Change
from app.client.asynchronous import AsyncClient
from app.client.calls import Call
from app.client.client import Client
from app.client.errors import ApiError

__all__ = ["ApiError", "AsyncClient", "Call", "Change", "Client", "routes"]
