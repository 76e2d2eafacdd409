from __future__ import annotations

from pathlib import Path

from pikepdf import Array, AttachedFileSpec, Dictionary, Name, Pdf, String

from tests.tasks.sealed.pdfa.pdfs import repaired


def test_layers_get_names_and_a_full_order_and_no_switches(tmp_path: Path) -> None:
    def layer(pdf: Pdf) -> None:
        groups = [pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String(n))) for n in ("a", "b")]
        default = Dictionary(Order=Array([groups[0]]), AS=Array([]))
        pdf.Root.OCProperties = Dictionary(OCGs=Array(groups), D=default, Configs=Array([Dictionary()]))

    result = repaired(tmp_path, layer)
    with result.pdf as pdf:
        properties = pdf.Root.OCProperties
        assert len(properties.D.Order) == 2
        assert "/AS" not in properties.D
        assert str(properties.D.Name) != str(properties.Configs[0].Name)
    assert result.lines("6.9", "loss")


def test_an_embedded_file_makes_the_product_part_3_and_is_associated(tmp_path: Path) -> None:
    def attach(pdf: Pdf) -> None:
        pdf.attachments["table.csv"] = AttachedFileSpec(pdf, b"a,b\n", filename="table.csv")
        specification = pdf.attachments["table.csv"].obj
        for key in ("/UF", "/AFRelationship"):
            if key in specification:
                del specification[key]
        if "/Subtype" in specification.EF.F:
            del specification.EF.F["/Subtype"]

    result = repaired(tmp_path, attach)
    assert result.answer["part"] == 3
    with result.pdf as pdf:
        specification = pdf.Root.AF[0]
        assert specification.AFRelationship == Name.Unspecified
        assert str(specification.UF) == "table.csv"
        assert specification.EF.F.Subtype == Name("/text/csv")
        assert pdf.attachments["table.csv"].get_file().read_bytes() == b"a,b\n"
