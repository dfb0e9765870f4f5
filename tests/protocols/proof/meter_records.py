"""Meter records for tests: public vectors, one of our own, and what an independent verifier says of a text."""

from __future__ import annotations

import warnings

from cryptography.hazmat.primitives.asymmetric import ec
from pyocmf import OCMF, PyOCMFError, SpecWarning

from protocols.proof.ocmf import Payload, Reading, SoftwareSigner

KEY = ec.derive_private_key(int("1234567890abcdef" * 4, 16), ec.SECP256R1())
SIGNER = SoftwareSigner(KEY)

V0 = (
    'OCMF|{"FV":"1.3","GI":"EDGE-GW","GS":"GW0001","GV":"0.1.0","PG":"T1","MS":"M1","IS":true,"IL":"VERIFIED","IF":'
    '["RFID_PLAIN"],"IT":"LOCAL","ID":"sess-1","RD":[{"TM":"2026-01-01T10:00:00,000+0800 R","TX":"B","RV":100.000,"'
    'RI":"01-00:01.08.00*FF","RU":"kWh","RT":"AC","EF":"","ST":"G"},{"TM":"2026-01-01T10:10:00,000+0800 R","TX":"E"'
    ',"RV":101.500,"RI":"01-00:01.08.00*FF","RU":"kWh","RT":"AC","EF":"","ST":"G"}]}|{"SA":"ECDSA-secp256r1-SHA256"'
    ',"SD":"3045022100B0CF42C96F43340BB21598626D8F6E8230506BAF92C68B5B770CC52A164F8D2F02207D069D49ADDC5EA36603288E6'
    '09641A891BB472AB2087E8698BAC292B4E149AB"}'
)
V0_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D03010703420004471C3E758C4904285BBA7E53118ED0F524ADEB0757D25BD2F8E7B0D7"
    "6DFA714CDD520F7ACA8A8B917ACC37F51DE8F0C9BBE3AD858382E702DC25A12D09F7A858"
)
"""The transparency software 1.4.1 says "Verified" of this one. The key is KEY's."""

V1 = (
    'OCMF|{"FV":"1.0","GI":"KEBA_KCP30","GS":"17619300","GV":"2.8.5","PG":"T32","IS":false,"IL":"NONE","IF":["RFID_'
    'NONE","OCPP_NONE","ISO15118_NONE","PLMN_NONE"],"IT":"NONE","ID":"","RD":[{"TM":"2019-08-13T10:03:15,000+0000 I'
    '","TX":"B","EF":"","ST":"G","RV":0.2596,"RI":"1-b:1.8.0","RU":"kWh"},{"TM":"2019-08-13T10:03:36,000+0000 R","T'
    'X":"E","EF":"","ST":"G","RV":0.2597,"RI":"1-b:1.8.0","RU":"kWh"}]}|{"SD":"304502200E2F107C987A300AC1695CA89EA1'
    '49A8CDFA16188AF0A33EE64B67964AA943F9022100889A72B6D65364BEA8562E7F6A0253157ACFF84FE4929A93B5964D23C4265699"}'
)
V1_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D030107034200043AEEB45C392357820A58FDFB0857BD77ADA31585C61C430531DFA53B"
    "440AFBFDD95AC887C658EA55260F808F55CA948DF235C2108A0D6DC7D4AB1A5E1A7955BE"
)
"""SAFE-eV/transparenzsoftware, test_ocmf_keba_kcp30.xml (Apache-2.0)."""
V1_NEGATIVE = V1.replace('"TM":"2019-08-13T10:03:15', '"TM":"2019-08-12T10:03:15')
"""Its twin test_ocmf_keba_kcp30_fail.xml."""

V3 = (
    'OCMF|{"FV":"1.1","GI":"KEBA_KCP30","GS":"16913115","GV":"2.9.0","PG":"T86","IS":false,"IL":"NONE","IF":["RFID_'
    'NONE","OCPP_NONE","ISO15118_NONE","PLMN_NONE"],"IT":"NONE","ID":"","TT":"Test","RD":[{"TM":"1970-01-01T01:21:4'
    '5,000+0100 U","TX":"B","EF":"","ST":"G","RV":62500.2031,"RI":"1-b:1.8.0","RU":"kWh"},{"TM":"1970-01-01T01:21:4'
    '5,000+0100 U","TX":"E","EF":"","ST":"G","RV":62500.2031,"RI":"1-b:1.8.0","RU":"kWh"}]}|{"SD":"3046022100FD210B'
    "90C312A135F44CC9710177487B8F7654EE0555BF93FBF29B959B46ACEE022100B4DE42CFF4D210964D3B776E68272ABF052E8D0E7012A2"
    '8619068FE7C77D5548"}'
)
V3_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D03010703420004048913F524A96FA6ECB6D9FB829AD14642069A9A7FA25E9AA5D964BB"
    "651B59F7453E34C4EC66D98C4313544A779F58A6749BFB5842A476F240AC57FEAC3FD580"
)
"""The same folder's ocmf_tariff_1.xml: a clock that was never set."""

BEGIN = Reading(1_767_232_800_000, 28_800, "S", "B", 100_000, "AC", "", "G")
END = Reading(1_767_233_400_000, 28_800, "S", "L", 101_500, "AC", "", "G")
PAYLOAD = Payload(
    gateway="Fieldtill",
    gateway_serial="hz-1/1",
    gateway_version="0.1.0",
    page=1,
    meter_serial="m1",
    meter_maker="Eastron",
    meter_model="SDM630",
    meter_firmware=None,
    level="HEARSAY",
    flags=("RFID_PLAIN", "OCPP_NONE", "ISO15118_NONE", "PLMN_NONE"),
    id_type="LOCAL",
    id="hz-1/1/14",
    tariff_text="standard, version 3",
    point_type="CBIDC",
    point="hz-1 c1",
    readings=(BEGIN, END),
    vendor={"U_AMOUNT_FEN": 150, "V_LOG": "fieldtill/hz-1/1"},
)
"""1.5 kWh in ten minutes at Shanghai's noon."""


def theirs(text: str, key_hex: str) -> bool:
    """Whether pyocmf, in strict mode, takes the text and its signature."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SpecWarning)
            return OCMF.from_string(text, strict=True).verify_signature(key_hex)
    except (PyOCMFError, SpecWarning):
        return False


def eichrecht(text: str) -> list[str]:
    """The errors that pyocmf finds under the German calibration law; warnings are left out."""
    return [str(issue) for issue in OCMF.from_string(text, strict=True).check_eichrecht(errors_only=True)]
