"""What the agents know of the sources, which may change while they run."""

from app.settings import Settings


class SourceIds:
    """To which account the ids in a source's events belong, and on which channels they are ids of jobs (see
    `inbound.prepare`). Both mappings are changed in place, as the agents hold them."""

    def __init__(self, settings: Settings) -> None:
        self.accounts = settings.by_account()
        self.jobs = settings.job_ids()

    def use(self, settings: Settings) -> None:
        """Take over changed sources. What is known of a removed one stays: Kafka may still have records of it, which must
        make the same events as before."""
        accounts, jobs = settings.by_account(), settings.job_ids()
        for name in settings.sources:
            if name in accounts:
                self.accounts[name] = accounts[name]
            else:
                self.accounts.pop(name, None)
        self.jobs.update(jobs)
