"""Pixels: is every pixel of every frame the source's, as a second library reads it? And did its metadata come along?"""

from __future__ import annotations

from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"
NAMES_TOLD = 12


def validate(
    source: Source,
    product: Product,
    job: Job,
    /,
    *,
    rounding_levels: int = 1,
    rounding_share: str = "0.0001",
    megapixels: int = 600,
) -> Verdict:
    """Compares all frames of a TIFF product with the source read by another library than the one that made the master.

    The decoders of a coding that loses (JPEG, JPEG 2000 with the 9/7 wavelet) may round: `rounding_levels` steps in
    `rounding_share` of the pixels pass when the first library gives exactly the product. Returns FAIL `pixels-differ`;
    WARNING `metadata-lost` when something the source tells of itself is not in the product; WARNING `compared-once`
    when no second library reads the source; else SUCCESS. Measures: `frames`, `pixels`, `pixels_lost`,
    `pixels_rounded`, `metadata_lost`, `metadata_left_out` (both counts) and `libraries`, whose unit names the two that
    were compared.
    """
    answer = _checked(
        job.call(
            "tasks.sealed.raster.compare:compare", source.name, product.path, levels=rounding_levels,
            share=rounding_share, pixels=megapixels * 1_000_000, size=job.limits.output_bytes,
        )
    )  # fmt: skip
    measures = _measures(answer)
    if answer["lost"] or answer["faults"]:
        lost = str(answer["lost"] or answer["total"])
        detail = {"lost": lost, "total": str(answer["total"]), "what": "; ".join(answer["faults"])}
        return Verdict(Outcome.FAIL, "pixels-differ", detail, measures)
    if answer["missing"]:
        return Verdict(Outcome.WARNING, "metadata-lost", {"names": ", ".join(answer["missing"][:NAMES_TOLD])}, measures)
    if not answer["second"]:
        detail = {"library": answer["first"], "what": answer["refused"]}
        return Verdict(Outcome.WARNING, "compared-once", detail, measures)
    return Verdict(Outcome.SUCCESS, "", {}, measures)


def _measures(answer: dict[str, Any]) -> tuple[Measure, ...]:
    names = (answer["first"], answer["second"]) if answer["second"] else (answer["first"],)
    counts = (
        ("frames", answer["frames"], ""), ("pixels", answer["total"], "px"), ("pixels_lost", answer["lost"], "px"),
        ("pixels_rounded", answer["rounded"], "px"), ("metadata_lost", len(answer["missing"]), ""),
        ("metadata_left_out", len(answer["minor"]), ""), ("libraries", len(names), " / ".join(names)),
    )  # fmt: skip
    return tuple(Measure(name, str(value), unit) for name, value, unit in counts)


def _checked(answer: Any) -> dict[str, Any]:
    """The answer, when it has the shape that was promised."""
    shape = {
        "first": str, "second": str, "refused": str, "frames": int, "total": int, "lost": int, "rounded": int,
        "faults": list, "missing": list, "minor": list,
    }  # fmt: skip
    if isinstance(answer, dict) and all(type(answer.get(name)) is kind for name, kind in shape.items()):
        return answer
    raise Trouble("tool-crash", tool="pixel comparison", signal="an answer of the wrong shape")
