"""What the HTTP process has for people who log in: their sessions, and the issuers by which they do."""

from dataclasses import dataclass, field

from app.http.issued import Invalid, Issuers
from app.http.rates import Rates
from app.login.provider import Provider
from app.login.sessions import Sessions, Store
from app.settings import Settings

#: Answers of issuers that one address may bring in a second, and their burst: each costs a request to the issuer.
ANSWERS, ANSWERS_BURST = 10, 100


@dataclass(frozen=True, slots=True)
class People:
    """Sessions, and providers by their issuer's name in the settings. `url`: ours, as browsers have it."""

    sessions: Sessions
    providers: dict[str, Provider]
    issuers: Issuers
    url: str
    rates: Rates = field(default_factory=lambda: Rates(ANSWERS, ANSWERS_BURST))

    @classmethod
    def of(cls, store: Store, settings: Settings, issuers: Issuers) -> "People | None":
        """Return what the settings say; None where nobody logs in."""
        url = settings.login.url
        if url is None:
            return None
        providers = {one.name: Provider(one, url) for one in issuers if one.identity.login_client_id is not None}
        return cls(Sessions(store, settings.login), providers, issuers, url) if providers else None

    def provider_of(self, token: str) -> Provider:
        """Return the issuer that a token states, which is not verified yet. Raises Invalid."""
        found = self.providers.get(self.issuers.of(token).name)
        if found is None:
            raise Invalid("Nobody logs in by this issuer.")
        return found

    def provider_at(self, issuer: str) -> Provider | None:
        """Return the provider of an issuer's URL."""
        return next((each for each in self.providers.values() if each.tokens.issuer == issuer), None)
