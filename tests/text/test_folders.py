"""A folder per class: read at any depth, what is no text passed over by name, parts of a data set no classes."""

import logging
import os

import pytest

from elman.errors import DataError, LabelError
from elman.text import Documents, read_labelled


def write(folder, **files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def rows(folder):
    data = read_labelled(folder)
    return list(zip(data.texts, data.labels, strict=True))


def test_files_are_read_at_any_depth_below_a_class(tmp_path):
    write(tmp_path, **{"pos/2019/a.txt": "one", "pos/b.txt": "two", "odd/2020/01/z": "three"})
    assert rows(tmp_path) == [("three", "odd"), ("one", "pos"), ("two", "pos")]


def test_what_is_no_text_is_passed_over_by_name(tmp_path, caplog):
    write(
        tmp_path,
        **{
            "pos/a.txt": "one",
            "neg/b": "two",
            "pos/Thumbs.db": b"\xd0\xcf\x11\xe0",
            "pos/.DS_Store": b"\0\0\0\1Bud1",
            "pos/.hidden/c.txt": "three",
            "neg/scores.csv": "text,label\na,b\n",
            "neg/more.jsonl.gz": b"\x1f\x8b",
            "neg/picture.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "neg/paper": b"%PDF-1.7 and on",
            "__MACOSX/pos/._a.txt": b"\0\5\x16\7",
            "unsup/0.txt": "without a label",
            "labeledBow.feat": "9 0:9 1:1",
            "urls_pos.txt": "http://example.org",
            "empty/.keep": "",
        },
    )
    with caplog.at_level(logging.INFO, "elman.text"):
        assert rows(tmp_path) == [("two", "neg"), ("one", "pos")]
    said = "\n".join(caplog.messages)
    for name in ("Thumbs.db", ".DS_Store", ".hidden", "scores.csv", "more.jsonl.gz", "picture.png", "paper"):
        assert name in said
    assert "passed over 2 files beside the class folders: labeledBow.feat, urls_pos.txt" in said
    assert "2 tables: neg/more.jsonl.gz, neg/scores.csv" in said and "2 binary files: neg/paper, neg/pict" in said
    assert "without labels, which --unlabelled reads: unsup" in said and "__MACOSX" in said
    assert "class folders without a text: empty" in said


def test_links_are_named(tmp_path, caplog):
    write(tmp_path, **{"a/pos/a.txt": "one", "a/neg/b.txt": "two", "b/c.txt": "three"})
    (tmp_path / "a" / "pos" / "link").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "pos" / "broken").symlink_to(tmp_path / "nothing")
    (tmp_path / "a" / "more").symlink_to(tmp_path / "b")
    with caplog.at_level(logging.INFO, "elman.text"):
        assert rows(tmp_path / "a") == [("three", "more"), ("two", "neg"), ("one", "pos")]
    assert "links to folders: pos/link" in caplog.text and "broken links or no files: pos/broken" in caplog.text


def test_the_parts_of_a_data_set_are_no_classes(tmp_path):
    files = {
        f"{part}/{label}/0_{label}.txt": f"a {label} text" for part in ("train", "test") for label in ("neg", "pos")
    }
    extra = {"train/unsup/0.txt": "x", "train/labeledBow.feat": "9 0:9", "train/urls_pos.txt": "u", "imdb.vocab": "the"}
    root = write(tmp_path / "aclImdb", **files, **extra)
    with pytest.raises(DataError, match=r"expected a folder per class, got .* test, train; give .*aclImdb/train"):
        read_labelled(root)
    assert sorted(set(read_labelled(root / "train").labels)) == ["neg", "pos"]
    flat = write(tmp_path / "flat", **{"train/labeledBow.feat": "9 0:9", "test/labeledBow.feat": "1 0:9"})
    with pytest.raises(DataError, match="parts of a data set"):
        read_labelled(flat)
    topics = write(tmp_path / "topics", **{"train/a.txt": "late again", "bus/b.txt": "full"})
    assert rows(topics) == [("full", "bus"), ("late again", "train")]


def test_a_class_name_that_is_no_text_is_refused(tmp_path):
    write(tmp_path, **{"pos/a.txt": "one"})
    os.makedirs(os.path.join(os.fsencode(tmp_path), b"caf\xe9"))
    with pytest.raises(LabelError, match=r"name of a class folder must be UTF-8, got 'caf\\udce9'"):
        read_labelled(tmp_path)


def test_zeros_are_of_text_in_a_wide_encoding(tmp_path):
    write(tmp_path, **{"pos/a.txt": "one".encode("utf-16"), "neg/b.txt": "zwei".encode("utf-16")})
    data = read_labelled(tmp_path, encoding="UTF_16")
    assert (data.texts, data.labels) == (["zwei", "one"], ["neg", "pos"])


def test_a_folder_of_raw_text_has_no_leftovers(tmp_path):
    write(tmp_path, **{"a.txt": "one", "__MACOSX/b.txt": "two", ".c.txt": "three", "d/e.txt": "four"})
    assert [line for line, _ in Documents([tmp_path])] == ["one", "four"]
