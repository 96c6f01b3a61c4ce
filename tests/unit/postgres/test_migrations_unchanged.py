"""Applied migrations are unchanged: a database that has one refuses another of its number."""

from leads.postgres.migrations import known_migrations

APPLIED = {
    "0001_dossier": "8b01457679f43d1d7c881942705407e0646af5832fffd96726c2d7eb6e222ebf",
    "0002_import_job": "6b5c134c3539b4f0d4890204c7b2e60a739a4922a57ccf32cc8797d9a6b24a5d",
    "0003_export_job": "e8a4c45af5cad81c35aa91e89e5d46f24405efe73b5e047ab296a64674d6677c",
    "0004_faster_imports": "079fa188d65da7e20838eecd7d8315bcaf1c85e3104a13aa9f33639ad66582bd",
    "0005_import_report": "9bd9850b10a031b8219a06d8ba28335861c23b7feca3e6079c5576cf91a460f6",
    "0006_export_handed_over": "3a839defe134305b78a1eda269f83216cd1d490e4dcf9f8177b9fde3a7ca7ac7",
    "0007_export_by_status": "e2a7f95fe88ec9de8879b84b12bc0caa93923fd2c44bb69ec2f6e872f398d430",
    "0008_expire_jobs": "aa913a59cfda17968692e30ea2178829371de65641b10242236425466226936f",
    "0009_idempotency_key": "4fb8721b93b514f43c438479c84749d5265871237aeb11ba55ba5931ce62813c",
    "0010_correlation_id": "a0dde99fa1e6c6b9ee655a8602abd61202db0b1205b02e6c7637589adeeff0af",
    "0011_faster_french_phones": "8f93fca78dda588ce66f8eb43b1a3542d6644730153122e394af9c219e6390bf",
    "0012_overseas_phones": "8747655501af3a24b0359660ffff38dfbc3e47d16e317ec0f3cebad4c2a69b9c",
}


def test_known_migrations_have_the_applied_checksums() -> None:
    known = {str(one): one.checksum for one in known_migrations()}
    assert known == APPLIED, "add a new migration, and its checksum here, instead of changing one"
