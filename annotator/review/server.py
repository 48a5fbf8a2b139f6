"""The page's server: what a browser asks for, answered by a session."""

import pathlib
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from annotator.config.version import VERSION
from annotator.library import exports, thumbnails
from annotator.library.near_duplicates import near_duplicates
from annotator.review import keywords
from annotator.review.guard import Guard
from annotator.review.indexing import Indexer
from annotator.review.photograph_encoder import PhotographEncoder
from annotator.review.retraining import Retraining
from annotator.review.session import Session

_HERE = pathlib.Path(__file__).parent
_MOST_BYTES = 64 * 2**20  # of a dropped image
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
_MEDIA = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def create_app(
    session: Session,
    encoder: PhotographEncoder,
    indexer: Indexer,
    token: str,
    hosts: list[str],
) -> Guard:
    """Builds the application.

    Args:
        session: The session.
        encoder: The model, for images that are dropped and for attention.
        indexer: What reads the photographs.
        token: The first part of every path.
        hosts: What the header `Host` may be.

    Returns:
        An ASGI application.
    """
    app = FastAPI(
        title="annotator review", docs_url=None, redoc_url=None, openapi_url=None
    )
    retraining = Retraining(session, encoder.config)
    router = APIRouter(prefix=f"/{token}")
    _add_page(router, session, encoder)
    _add_reading(router, session, encoder, indexer, retraining)
    _add_changes(router, session, retraining)
    _add_exports(router, session)
    app.include_router(router)
    app.mount(f"/{token}/static", StaticFiles(directory=_HERE / "static"))
    app.add_exception_handler(ValueError, _refused(400))
    app.add_exception_handler(KeyError, _refused(404))
    app.add_exception_handler(OSError, _refused(404))
    return Guard(app, token, hosts)


def _add_page(router, session, encoder):
    templates = Jinja2Templates(directory=_HERE / "templates")

    @router.get("/", response_class=HTMLResponse)
    def page(request: Request) -> Response:
        return templates.TemplateResponse(
            request,
            "page.html",
            {
                "folder": session.library.root.name,
                "has_captions": encoder.has_captions,
                "typical": float(session.live.words.basis.average),
                "margin": float(session.live.words.basis.margin),
                "version": VERSION,
            },
        )

    @router.get("/thumbnail/{number}/{modified}")
    def thumbnail(number: int, modified: str) -> Response:
        del modified  # so that a changed file has another address
        photograph = session.library.photograph(number)
        path = session.library.thumbnails.get(
            number, photograph.modified, session.library.file(photograph)
        )
        return FileResponse(path, media_type="image/jpeg", headers=_FOREVER)

    @router.get("/large/{number}/{modified}")
    def large(number: int, modified: str) -> Response:
        del modified
        path = session.library.file(session.library.photograph(number))
        most = session.library.thumbnails.max_pixels
        encoded, _ = thumbnails.render(path, thumbnails.LARGE_SIDE, most)
        return Response(encoded, media_type="image/jpeg", headers=_FOREVER)


def _add_reading(router, session, encoder, indexer, retraining):
    @router.get("/api/state")
    def state() -> dict[str, Any]:
        session.sync()
        return {
            "indexing": indexer.state,
            "last_event": session.last_event,
            "training": retraining.state,
        }

    @router.get("/api/words")
    def words() -> list[dict[str, Any]]:
        return session.words()

    @router.get("/api/photographs")
    def photographs(
        text: str = "",
        word: str | None = None,
        by: str = "",
        sort: str = "name",
        like: int | None = None,
    ) -> dict[str, Any]:
        chosen, values = session.select(text, word, by, sort, like)
        return {**_columns(chosen), "values": values and [round(v, 4) for v in values]}

    @router.get("/api/duplicates")
    def duplicates(similarity: float = 0.9) -> dict[str, Any]:
        with session.lock:
            rows = session.live.present.nonzero()[0]
            vectors = session.live.vectors[rows]
        groups = near_duplicates(vectors, similarity)
        found = {p.id: p for p in session.library.photographs()}
        numbers = [[int(rows[row]) for row in group] for group in groups]
        numbers = [[n for n in group if n in found] for group in numbers]
        numbers = [group for group in numbers if len(group) > 1]
        chosen = [found[number] for group in numbers for number in group]
        return {**_columns(chosen), "groups": [len(group) for group in numbers]}

    @router.post("/api/details")
    def details(
        numbers: Annotated[list[int], Body(max_length=2000)],
    ) -> list[dict[str, Any]]:
        return session.details(numbers)

    @router.get("/api/attention/{number}")
    def attention(number: int) -> dict[str, Any]:
        path = session.library.file(session.library.photograph(number))
        said, maps = encoder.attention(path.read_bytes(), str(path))
        return {"words": said, "maps": maps.round(3).tolist()}

    @router.post("/api/describe")
    async def describe(request: Request) -> dict[str, Any]:
        content = b""
        async for part in request.stream():
            content += part
            if len(content) > _MOST_BYTES:
                raise ValueError(f"An image of more than {_MOST_BYTES} bytes.")
        return await run_in_threadpool(_describe, session, encoder, content)


def _add_changes(router, session, retraining):
    corrections = session.library.corrections

    @router.post("/api/judge")
    def judge(
        photographs: Annotated[list[int], Body()],
        word: Annotated[str, Body()],
        accepted: Annotated[bool | None, Body()],
    ) -> dict[str, Any]:
        return session.learned(corrections.judge(photographs, word, accepted))

    @router.post("/api/caption")
    def caption(
        photograph: Annotated[int, Body()], text: Annotated[str, Body()]
    ) -> dict[str, Any]:
        return session.learned(corrections.write_caption(photograph, text))

    @router.post("/api/undo")
    def undo(
        event: Annotated[int | None, Body(embed=True)] = None,
    ) -> dict[str, Any]:
        return session.learned(corrections.undo(event))

    @router.get("/api/history")
    def history(most: int = 100, before: int | None = None) -> list[dict[str, Any]]:
        return [_shown_event(each) for each in corrections.history(most, before)]

    @router.post("/api/train")
    def train() -> dict[str, Any]:
        return retraining.start()


def _add_exports(router, session):
    @router.get("/export/photographs.{kind}")
    def export(kind: str) -> Response:
        if kind not in _MEDIA:
            raise KeyError(kind)
        write = {"csv": exports.to_csv, "jsonl": exports.to_jsonl}[kind]
        headers = {"content-disposition": f'attachment; filename="photographs.{kind}"'}
        return StreamingResponse(
            write(session.all_details()), media_type=_MEDIA[kind], headers=headers
        )

    @router.post("/api/export/sidecars")
    def sidecars() -> dict[str, Any]:
        return keywords.write_keywords(session.library, session.all_details())

    @router.post("/api/export/data_set")
    def data_set() -> dict[str, Any]:
        folder = session.library.folder / "data_set"
        count = exports.write_data_set(
            folder, session.library.root, session.all_details()
        )
        return {"folder": str(folder), "photographs": count}


def _columns(photographs):
    """Photographs as the page lays them out."""
    return {
        "ids": [photograph.id for photograph in photographs],
        "shapes": [
            round(photograph.width / photograph.height, 3) if photograph.height else 1.5
            for photograph in photographs
        ],
        # Of those that cannot be shown there is no picture to ask for.
        "states": [
            "" if photograph.error else f"{photograph.modified:x}"
            for photograph in photographs
        ],
    }


def _describe(session, encoder, content):
    """What the words as they are taught say of an image that is not in the library."""
    (encoded,) = encoder.encode([("image", content)])
    if encoded.vector is None:
        raise ValueError(encoded.error)
    session.sync()
    with session.lock:
        words = session.live.best(encoded.vector)
        similar = session.live.similar(encoded.vector)
        similar[~session.live.present] = -2
        nearest = similar.argsort()[::-1][:12]
        nearest = [int(row) for row in nearest if similar[row] > -2]
    found = {p.id: p for p in session.library.photographs(nearest)}
    shown = [found[number] for number in nearest if number in found]
    return {"caption": encoded.caption, "suggested": words, "similar": _columns(shown)}


def _shown_event(event):
    words = list(dict.fromkeys(c.word for c in event.changes if c.word is not None))
    captions = [c.after[0] for c in event.changes if c.word is None]
    return {
        "id": event.id,
        "time": event.time,
        "action": event.action,
        "undoes": event.undoes,
        "undone_by": event.undone_by,
        "words": words[:5],
        "caption": captions[0] if captions else None,
        "count": len({change.photograph for change in event.changes}),
        "photographs": sorted({change.photograph for change in event.changes})[:8],
    }


def _refused(status):
    async def handler(request: Request, error: Exception) -> Response:
        if isinstance(error, KeyError):
            message = f"There is no {error.args[0]!r}."
        else:
            message = str(error)
        return JSONResponse({"error": message}, status_code=status)

    return handler
