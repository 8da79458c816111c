"""A Containerfile that only copies and declares is read without an engine; any other is refused."""

import pytest

from images.catalogue import HERE, IMAGES
from images.containerfile import parse
from local.image_archive import PATH

WHOLE = """\
# a comment
ARG BASE=example:1
FROM ${BASE}
COPY etc/ /etc/
COPY lib/ /opt/tool/
# between
ENV PATH=/opt/tool/bin:${PATH} \\
    GREETING="good day"
USER 65532:65532
WORKDIR /opt/tool
CMD ["tool", "--all"]
"""


def test_everything_that_is_declared_is_read() -> None:
    declared = parse(WHOLE)
    assert declared.copies == (("etc", "/etc"), ("lib", "/opt/tool"))
    assert declared.env == (("PATH", f"/opt/tool/bin:{PATH}"), ("GREETING", "good day"))
    assert (declared.user, declared.workdir) == ("65532:65532", "/opt/tool")
    assert (declared.entrypoint, declared.command) == ((), ("tool", "--all"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("RUN make", "RUN has to be run"),
        ("ADD archive.tar /", "ADD has to be run"),
        ("COPY one two /target/", "not of the form"),
        ("COPY file /target/file", "not of the form"),
        ("COPY --from=build lib/ /lib/", "not of the form"),
        ("COPY lib/ relative/", "not of the form"),
    ],
)
def test_what_needs_an_engine_is_refused(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(f"FROM scratch\n{line}\n")


@pytest.mark.parametrize("name", IMAGES)
def test_our_images_run_as_a_user_without_rights_whose_name_is_known(name: str) -> None:
    declared = parse((HERE / name / "Containerfile").read_text())
    assert declared.user == "65532:65532"
    assert "eventstreams:x:65532:65532:" in (HERE / "etc/passwd").read_text()
    assert dict(declared.env)["USER"] == "eventstreams"
