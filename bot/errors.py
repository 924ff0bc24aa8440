"""Every error that Firstline raises on purpose.

FirstlineError
├── DeliveryFailed        a text did not reach its address
│   ├── TryLater          it may, if sent again (carries retry_after)
│   ├── Undeliverable     it never will
│   │   ├── Elsewhere     this text cannot be told at this address, others can
│   │   │   └── Blocked   the person has blocked us at this address
│   │   └── TooLarge      a file is larger than it may be
│   ├── Uncertain         it may have arrived; ask `Sender.find`
│   └── CannotTell        nobody can say whether it arrived
├── ClassificationFailed  the model gave no usable answer
├── Rerouted              the incident that a message belongs to changed meanwhile; it is routed again
├── LeaseLost             a lane was given to another worker; this one's work is void
├── Forbidden             a command by somebody who may not
├── NotFound              a command on something that does not exist
├── Conflict              a command that came too late
│   └── Changed           it was meant for the incident as it was before
├── BadCursor             what should turn a page is none of ours
├── KeyReused             an Idempotency-Key that came before with another request
├── StillRunning          a request whose first delivery is still being handled
└── NotUnderstood         a command that there is not, or that lacks something
ConfigurationError        outside the family: the process does not start
"""


class FirstlineError(Exception):
    """The family: what the running bot expects, catches and deals with."""


class DeliveryFailed(FirstlineError):
    """A text did not reach its address."""


class TryLater(DeliveryFailed):
    """Raised when the other side did not take it now, and certainly has not taken it.

    `retry_after` is the number of seconds that it asked us to wait, or None.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Undeliverable(DeliveryFailed):
    """Raised when the other side will never take it: no such address, blocked, refused for good."""


class Elsewhere(Undeliverable):
    """Raised when a text cannot be told at this address, which may take others. It is told by mail, where the person
    has one."""


class Blocked(Elsewhere):
    """Raised when the person has blocked us at this address, or has left: nothing will arrive there until they write
    again. They are told by mail, where they have one."""


class TooLarge(Undeliverable):
    """Raised by `FileSource.fetch` when a file is larger than was asked for."""


class Uncertain(DeliveryFailed):
    """Raised when the request went out and no answer came back: it may have arrived."""


class CannotTell(DeliveryFailed):
    """Raised by `Sender.find` when the platform offers no way to look.

    `repeats` is how often the text may then be sent again blindly: more than once only where the receiver can spot a
    repetition (mail: one Message-ID).
    """

    def __init__(self, reason: str, repeats: int) -> None:
        super().__init__(reason)
        self.repeats = repeats


class ClassificationFailed(FirstlineError):
    """Raised when a classifier gave no usable answer; the next one on the ladder is asked."""


class NotCommitted(FirstlineError):
    """Raised when a message could not be stored: the platform must not be told "received", and sends it again."""


class Rerouted(FirstlineError):
    """Raised inside the transaction that ends a message's way when the incident that it belongs to is no longer what
    it was; what was done is rolled back, and the message is routed again."""


class LeaseLost(FirstlineError):
    """Raised when a lane's lease ended while its work was going on; what was not committed is rolled back."""


class Forbidden(FirstlineError):
    """Raised when the actor may not do this."""


class NotFound(FirstlineError):
    """Raised when no incident, or more than one, goes by that name."""


class Conflict(FirstlineError):
    """Raised when the incident is no longer in the state that the command needs. Says who changed it, and when."""


class Changed(Conflict):
    """Raised when the incident is no longer the version of it that the command was meant for."""


class BadCursor(FirstlineError):
    """Raised when what should say where a page begins was not given out by us."""


class KeyReused(FirstlineError):
    """Raised for another request under a key that was used before."""


class StillRunning(FirstlineError):
    """Raised for a repetition of a request that is still being handled."""


class NotUnderstood(FirstlineError):
    """Raised for a command that there is not, or that lacks something. Says what there is."""


class ConfigurationError(Exception):
    """Raised while starting. The text names the variable and its remedy.

    Not a FirstlineError, so that nothing catches it on the way and runs on half configured.
    """
