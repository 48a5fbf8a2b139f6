"""The page's server: who may ask, and what is answered."""

import csv
import io
import json

import pytest

from annotator.review.retraining import Retraining


def numbers_of(client):
    answer = client.get("api/photographs").json()
    details = client.post("api/details", json=answer["ids"]).json()
    return {detail["name"]: detail["id"] for detail in details}


def judge(client, numbers, word, accepted):
    body = {"photographs": numbers, "word": word, "accepted": accepted}
    return client.post("api/judge", json=body)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/another-token/", {}),
        ("/static/main.js", {}),
        ("/a-token", {"origin": "https://evil.example"}),
        ("/a-token/", {"origin": "https://evil.example"}),
        ("/a-token/", {"origin": "null"}),
        ("/a-token/api/words", {"origin": "http://127.0.0.1:1234"}),
        ("/a-token/", {"host": "evil.example"}),
        ("/a-token/", {"host": "evil.example:8600"}),
    ],
)
def test_foreign_origins_and_missing_tokens_get_403(client, path, headers):
    url = f"http://127.0.0.1:8600{path}"
    assert client.get(url, headers=headers).status_code == 403
    assert client.post(url, headers=headers, json={}).status_code == 403


def test_the_pages_own_origin_may_ask(client):
    for origin in ("http://127.0.0.1:8600", "http://localhost:8600"):
        assert client.get("api/words", headers={"origin": origin}).status_code == 200


def test_no_foreign_script_may_run(client):
    answer = client.get("")
    assert (
        answer.status_code == 200
        and "script-src 'self'" in (answer.headers["content-security-policy"])
    )
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("main.js", "page.css", "icon.svg"):
        assert client.get(f"static/{name}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "static/../server.py",
        "static/%2e%2e/server.py",
        "static/..%2fserver.py",
        "static/%2fetc%2fpasswd",
        "thumbnail/999/0",
        "large/999/0",
        "large/-1/0",
        "thumbnail/1/..%2f..%2f..%2flibrary.sqlite",
        "export/photographs.sqlite",
        "openapi.json",
        "docs",
    ],
)
def test_paths_outside_get_404(client, path):
    assert client.get(path).status_code == 404


def test_a_link_out_of_the_library_gets_404(opened, client, tmp_path):
    session, indexer = opened
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((session.library.root / "red 0.jpg").read_bytes())
    (session.library.root / "link.jpg").symlink_to(secret)
    indexer.read_all()
    number = numbers_of(client)["link.jpg"]
    assert client.get(f"large/{number}/0").status_code == 404
    assert client.get(f"thumbnail/{number}/0").status_code == 404
    (detail,) = client.post("api/details", json=[number]).json()
    assert "leads out of" in detail["error"] and detail["suggested"] == []


def test_pictures_are_jpegs(client):
    number = numbers_of(client)["red 1.jpg"]
    for kind in ("thumbnail", "large"):
        answer = client.get(f"{kind}/{number}/1")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content[:3] == b"\xff\xd8\xff"
    broken = numbers_of(client)["broken.jpg"]
    assert client.get(f"thumbnail/{broken}/1").status_code == 404


def test_judging_tells_what_changed_and_is_undone(client):
    numbers = numbers_of(client)
    number = numbers["yellow 0.jpg"]
    answer = judge(client, [number], "sun", True).json()
    assert answer["event"] == answer["last_event"] == 1
    assert numbers["trip/yellow 3.jpg"] in answer["words"]["sun"]["gained"]
    assert judge(client, [number], "sun", True).json()["event"] is None
    words = {each["word"] for each in client.get("api/words").json()}
    assert "sun" in words
    client.post("api/undo", json={"event": None})
    (detail,) = client.post("api/details", json=[number]).json()
    assert detail["accepted"] == []
    history = client.get("api/history").json()
    assert [event["action"] for event in history] == ["undo", "accept"]
    assert history[1]["undone_by"] == 2 and history[1]["words"] == ["sun"]
    answer = client.post("api/undo", json={"event": 1})
    assert answer.status_code == 400 and "undone already" in answer.json()["error"]


def test_hostile_words_and_captions_are_text(client):
    number = numbers_of(client)["red 0.jpg"]
    word = "<script>alert(1)</script>\"'"
    judge(client, [number], word, True)
    caption = (word * 400)[:10_000]
    body = {"photograph": number, "text": caption}
    assert client.post("api/caption", json=body).status_code == 200
    (detail,) = client.post("api/details", json=[number]).json()
    assert detail["accepted"] == [word] and detail["caption"] == caption
    assert "alert" not in client.get("").text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("api/judge", {"photographs": [1], "word": " ", "accepted": True}, 400),
        ("api/judge", {"photographs": [999], "word": "a", "accepted": True}, 404),
        ("api/judge", {"photographs": [1], "word": "a", "accepted": "perhaps"}, 422),
        ("api/judge", {"photographs": "all", "word": "a", "accepted": True}, 422),
        ("api/caption", {"photograph": 999, "text": "a"}, 404),
        ("api/undo", {"event": 999}, 400),
        ("api/details", list(range(3000)), 422),
    ],
)
def test_wrong_requests_change_nothing(client, path, body, status):
    assert client.post(path, json=body).status_code == status
    assert client.get("api/history").json() == []


def test_lists_of_photographs(client):
    numbers = numbers_of(client)
    answer = client.get("api/photographs", params={"word": "red", "sort": "score"})
    answer = answer.json()
    assert len(answer["ids"]) == len(answer["shapes"]) == len(answer["values"])
    assert answer["ids"][0] in {n for name, n in numbers.items() if "red" in name}
    assert client.get("api/photographs?word=boat").status_code == 404
    assert client.get("api/photographs?by=me").status_code == 400
    groups = client.get("api/duplicates?similarity=0.999").json()
    assert groups["groups"] == [2]
    again = {numbers["red 0.jpg"], numbers["red 0 again.jpg"]}
    assert set(groups["ids"]) == again


def test_an_image_is_described_that_is_not_in_the_library(client, photographs):
    numbers = numbers_of(client)
    judge(client, [numbers["yellow 0.jpg"]], "sun", True)
    content = (photographs / "yellow 1.jpg").read_bytes()
    answer = client.post("api/describe", content=content).json()
    assert answer["suggested"][0][0] == "sun"
    assert answer["similar"]["ids"][0] == numbers["yellow 1.jpg"]
    (shown,) = client.post(
        "api/details", json=[numbers["yellow 1.jpg"]]
    ).json()  # the same image, which is in the library
    assert [w for w, _ in answer["suggested"]] == [w for w, _ in shown["suggested"]]
    answer = client.post("api/describe", content=b"nothing")
    assert answer.status_code == 400 and answer.json()["error"]


def test_attention(client):
    number = numbers_of(client)["red 0.jpg"]
    answer = client.get(f"api/attention/{number}").json()
    assert answer["words"] == ["A", "wall"] and answer["maps"][1][3][3] == 1


def test_exports(client, opened):
    numbers = numbers_of(client)
    assert client.post("api/export/data_set").status_code == 400
    judge(client, [numbers["red 0.jpg"]], "wall", True)
    rows = csv.DictReader(io.StringIO(client.get("export/photographs.csv").text))
    tags = {row["image"]: row["tags"] for row in rows}
    assert len(tags) == 32 and tags["red 0.jpg"] == "wall"
    lines = client.get("export/photographs.jsonl").text.splitlines()
    assert {json.loads(line)["image"] for line in lines} == set(tags)
    answer = client.post("api/export/data_set").json()
    assert answer["photographs"] == 1
    folder = opened[0].library.folder / "data_set"
    assert answer["folder"] == str(folder) and (folder / "tags.jsonl").is_file()


def test_training_again_takes_the_settings_over(session, encoder, tmp_path):
    retraining = Retraining(session, encoder.config)
    assert retraining.state == {"phase": "none"}
    command = retraining.command(tmp_path / "run", tmp_path / "data")
    for flag in ("--components=7", "--flip", "--scales=32", "--task=tagger"):
        assert flag in command
    assert "--task=all" not in command
    with pytest.raises(ValueError, match="accept some first"):
        retraining.start()
    assert retraining.state == {"phase": "none"}
