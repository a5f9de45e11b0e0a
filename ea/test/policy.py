"""Who may: licences, activations and the order of the questions, as protocol.md says them. Pure: time comes in.

Part of the stand-in for the server; `platform/domain` is where the product decides.
"""

import dataclasses

import reference

HEARTBEAT_DRIFT_S = 30
EXPIRES_SOON_S = 7 * 86400

MESSAGES = {
    "VALID": "The licence is valid.",
    "NOT_FOUND": "This key is not known here.",
    "KEY_REPLACED": "This key was replaced by a new one.",
    "REVOKED": "This licence was revoked.",
    "SUSPENDED": "This licence is suspended.",
    "PLAN_REQUIRED": "Your plan does not include this EA.",
    "PRODUCT_MISMATCH": "This key is for another EA.",
    "EXPIRED": "This licence has ended.",
    "VERSION_TOO_OLD": "This version is too old.",
    "VERSION_YANKED": "This version was withdrawn.",
    "DEMO_ONLY": "This licence is for demo accounts.",
    "LIVE_ONLY": "This licence is for live accounts.",
    "NOT_ACTIVATED": "This computer and account are not activated.",
    "RELEASED": "This activation was released.",
    "HEARTBEAT_MISSED": "The EA was not heard from in time.",
    "BINDING_MISMATCH": "This activation belongs elsewhere.",
    "TOO_MANY_MACHINES": "All computers of this licence are in use.",
    "TOO_MANY_ACCOUNTS": "All accounts of this licence are in use.",
    "TRANSFER_COOLDOWN": "This licence was moved a short while ago.",
}


@dataclasses.dataclass
class Licence:
    key: str
    made: int
    product: str = "marque-sample"
    status: str = "active"
    replaced: bool = False
    in_plan: bool = True
    expires_at: int = 0
    expiry_grace_s: int = 0
    machines_max: int = 1
    accounts_max: int = 1
    strict: bool = True
    bound: str = "all"
    kinds: tuple = ("demo", "contest", "live")
    minimum_version: str = "1.0"
    latest_version: str = "1.20"
    yanked: tuple = ()
    lease_s: int = 86400
    grace_s: int = 259200
    heartbeat_s: int = 200
    window_s: int = 0
    cooldown_s: int = 0
    moved_at: int = 0
    config: tuple = (0, {})
    activations: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.secret = reference.licence_secret(self.key)
        self.key_id = reference.key_id(self.secret)


@dataclasses.dataclass
class Activation:
    licence: Licence
    id: str
    account: str = ""
    server: str = ""
    machine: str = ""
    nonce: str = ""
    salts: dict = dataclasses.field(default_factory=dict)
    retired: dict = dataclasses.field(default_factory=dict)
    generation: int = 0
    pending: tuple = None
    released: bool = False
    seen: int = 0
    sequence: int = 0
    orders: int = 0
    centilots: int = 0
    runtime_s: int = 0

    def take(self, claim, now, salt, moves):
        """An EA takes it, anew or for the first time: under a new key."""
        if self not in self.licence.activations:
            self.licence.activations.append(self)
        if moves:
            self.licence.moved_at = now
        self.account, self.server, self.machine = claim["account"], claim["server"], claim["machine"]
        self.nonce, self.released, self.seen, self.pending = claim["nonce"], False, now, None
        self.generation = max(self.salts, default=0) + 1
        self.salts = {self.generation: salt}

    def salt(self, generation):
        """What a key is derived from; of a retired one only to say that the seat was released."""
        return self.salts.get(generation) or (self.retired.get(generation) if self.released else None)

    def is_live(self, now):
        window = self.licence.window_s
        return not self.released and (window == 0 or now <= self.seen + window + HEARTBEAT_DRIFT_S)

    def differs(self, claim):
        return [name for name in ("account", "server", "machine") if claim[name] != getattr(self, name)]

    def is_bound_to(self, claim):
        return len(self.differs(claim)) <= {"all": 0, "most": 1, "any": 2}[self.licence.bound]

    def counts_for(self, claim):
        return (self.account, self.machine) == (claim["account"], claim["machine"])

    def totals(self):
        lots = f"{self.centilots // 100}.{self.centilots % 100:02d}"
        return {"sequence": self.sequence, "orders": self.orders, "lots": lots, "runtime_s": self.runtime_s}


@dataclasses.dataclass
class Verdict:
    code: str
    facts: dict = dataclasses.field(default_factory=dict)
    activation: Activation = None
    instead_of: Activation = None
    moves: bool = False

    @property
    def valid(self):
        return self.code == "VALID"


def numbers(version):
    parts = [int(part) for part in version.split(".")]
    return parts + [0] * (3 - len(parts))


def of_licence(licence, claim, now):
    """What refuses whoever asks, in this order; None when nothing does."""
    kind = "live" if claim["kind"] == "live" else "demo"
    if licence.replaced:
        return Verdict("KEY_REPLACED")
    if licence.status == "revoked":
        return Verdict("REVOKED")
    if licence.status == "suspended":
        return Verdict("SUSPENDED")
    if licence.product != claim["product"]:
        return Verdict("PRODUCT_MISMATCH")
    if not licence.in_plan:
        return Verdict("PLAN_REQUIRED")
    if licence.expires_at and now >= licence.expires_at + licence.expiry_grace_s:
        return Verdict("EXPIRED", {"expires_at": licence.expires_at})
    if kind not in licence.kinds:
        return Verdict("DEMO_ONLY" if kind == "live" else "LIVE_ONLY")
    if numbers(claim["version"]) < numbers(licence.minimum_version):
        return Verdict("VERSION_TOO_OLD", {"minimum_version": licence.minimum_version})
    if claim["version"] in licence.yanked:
        return Verdict("VERSION_YANKED", {"latest_version": licence.latest_version} if licence.latest_version else {})
    return None


def decide(licence, activation, claim, now):
    """For everything but an activation."""
    refusal = of_licence(licence, claim, now)
    if refusal:
        return refusal
    if activation is None:
        return Verdict("NOT_ACTIVATED")
    if activation.is_bound_to(claim) and not activation.counts_for(claim):
        return Verdict("NOT_ACTIVATED")
    if activation.released:
        return Verdict("RELEASED")
    if not activation.is_live(now):
        return Verdict("HEARTBEAT_MISSED")
    if not activation.is_bound_to(claim):
        return Verdict("BINDING_MISMATCH", {"mismatched": ",".join(activation.differs(claim))})
    return Verdict("VALID", activation=activation)


def admit(licence, claim, now):
    """For an activation: the verdict, with the activation that is taken up again if there is one."""
    refusal = of_licence(licence, claim, now)
    if refusal:
        return refusal
    same = [each for each in licence.activations if each.counts_for(claim) and each.is_bound_to(claim)]
    mine = min(same, key=lambda each: len(each.differs(claim)), default=None)
    full, other = too_many(licence, mine, claim, now), None
    if full:
        other = replaced(licence, claim, now) if mine is None else None
        if other is None:
            return full
    moving = moves(licence, mine, now)
    if moving and licence.activations and now < licence.moved_at + licence.cooldown_s:
        return Verdict("TRANSFER_COOLDOWN", {"retry_at": licence.moved_at + licence.cooldown_s})
    return Verdict("VALID", activation=mine, instead_of=other, moves=moving)


def too_many(licence, left, claim, now):
    """What refuses who would have a seat in place of the one that is left; None when there is room."""
    others = [each for each in licence.activations if each is not left and each.is_live(now)]
    if not licence.strict:
        return None
    if len({each.machine for each in others} | {claim["machine"]}) > licence.machines_max:
        return Verdict("TOO_MANY_MACHINES", {"machines_max": licence.machines_max})
    if len({each.account for each in others} | {claim["account"]}) > licence.accounts_max:
        return Verdict("TOO_MANY_ACCOUNTS", {"accounts_max": licence.accounts_max})
    return None


def replaced(licence, claim, now):
    """Whose place a computer takes that is new to the licence: another's of the same account, where the binding forgives it."""
    live = [each for each in licence.activations if each.is_live(now) and each.account == claim["account"]]
    can = [each for each in live if each.is_bound_to(claim) and not too_many(licence, each, claim, now)]
    return min(can, key=lambda each: each.seen, default=None)


def moves(licence, mine, now):
    """Whether the licence goes to an account or computer that it was not with last."""
    if mine is None:
        return True
    if mine.is_live(now) or not licence.strict:
        return False
    since = [each for each in licence.activations if each.is_live(now) or each.seen >= mine.seen]
    machines, accounts = {each.machine for each in since}, {each.account for each in since}
    return len(machines) > licence.machines_max or len(accounts) > licence.accounts_max


def terms(licence, activation, claim, now):
    """How long a valid answer holds, and what a trader should know."""
    end = licence.expires_at + licence.expiry_grace_s if licence.expires_at else now + 10**9
    if licence.window_s:
        end = min(end, activation.seen + licence.window_s + HEARTBEAT_DRIFT_S)
    lease = min(now + licence.lease_s, end)
    live = [each for each in licence.activations if each.is_live(now)]
    notices = []
    if licence.expires_at and now >= licence.expires_at:
        notices.append("EXPIRED_GRACE")
    elif licence.expires_at and now >= licence.expires_at - EXPIRES_SOON_S:
        notices.append("EXPIRES_SOON")
    if len({each.machine for each in live}) > licence.machines_max or len({each.account for each in live}) > licence.accounts_max:
        notices.append("OVERAGE")
    if numbers(licence.latest_version) > numbers(claim["version"]):
        notices.append("UPDATE_AVAILABLE")
    return {"lease_until": lease, "grace_until": min(lease + licence.grace_s, end), "expires_at": licence.expires_at,
            "heartbeat_s": licence.heartbeat_s, "latest_version": licence.latest_version,
            "notice": ",".join(notices)}  # fmt: skip
