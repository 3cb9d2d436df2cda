"""By what a caller knows that a webhook comes from here."""

from fastapi import APIRouter, Response

from service.answers import CallbackSecret
from service.callbacks import off
from service.dependencies import ResourcesDep, VisitorDep
from workers.webhooks import as_text, secret_of

router = APIRouter(prefix="/callbacks", tags=["jobs"])


@router.get("/secret")
def secret(response: Response, visitor: VisitorDep, resources: ResourcesDep) -> CallbackSecret:
    """What signs the messages about jobs of this API key.

    For any library of Standard Webhooks. Those without a key have one together.
    """
    settings = resources.settings
    if not settings.destinations:
        raise off()
    response.headers["Cache-Control"] = "no-store"
    return CallbackSecret(secret=as_text(secret_of(visitor.client, settings.webhook_secrets[0])))
