"""Check copies of receipts: what each states, and who signed it."""

from collections.abc import Iterable

from deploy.errors import DeployError
from deploy.receipt.plan.chain import Checked
from deploy.receipt.plan.receipt import Signed, read_receipt
from deploy.receipt.sign import Signers


class Checks:
    """Checks receipts of an app; of equal copies one is checked."""

    def __init__(self, app: str, signers: Signers) -> None:
        self._app, self._signers = app, signers
        self._known: dict[Signed, Checked] = {}

    def all_of(self, copies: Iterable[Signed]) -> dict[str, Checked]:
        """Check copies; return them by the release whose name each has."""
        return {one.release: self.one(one) for one in copies}

    def one(self, copy: Signed) -> Checked:
        """Check a copy."""
        if copy not in self._known:
            self._known[copy] = self._checked(copy)
        return self._known[copy]

    def _checked(self, copy: Signed) -> Checked:
        try:
            receipt = read_receipt(copy.content, self._app)
        except DeployError as error:
            return Checked(copy, problem=error.message)
        signer, problem = self._signers.signer(copy, receipt.manifest.at)
        stated = receipt.manifest.release
        if not problem and stated != copy.release:
            problem = f"it is the one of release {stated}, signed by {signer}"
        return Checked(copy, receipt, signer, problem)
