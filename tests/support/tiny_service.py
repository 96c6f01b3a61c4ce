"""Write a small service for tests of the laptop: a template, and functions that obey their event."""

from __future__ import annotations

from pathlib import Path

PROBE = """
import json, os, subprocess, sys, time
import tiny_layer

calls = 0

def handler(event, context):
    global calls
    calls += 1
    asked = {**event, **(event.get("queryStringParameters") or {})}
    match asked.get("do"):
        case "sleep":
            time.sleep(float(asked["seconds"]))
        case "exit":
            os._exit(int(asked["status"]))
        case "raise":
            raise ValueError(asked["message"])
        case "print":
            print(asked["text"])
        case "big":
            return "x" * int(asked["bytes"])
        case "spawn":
            return subprocess.Popen(["sleep", "1000"]).pid
        case "answer":
            return json.loads(asked["answer"])
        case "event":
            return event
        case "environment":
            return dict(os.environ)
    return {
        "pid": os.getpid(), "calls": calls, "layer": tiny_layer.__file__, "cwd": os.getcwd(),
        "name": context.function_name, "memory": context.memory_limit_in_mb,
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(), "request": context.aws_request_id,
    }
"""

BROKEN = "import no_such_module\n"

TICK = """
import json

def handler(event, context):
    print("tick", json.dumps(event))
"""

MIGRATE = """
import os
import pg8000.dbapi

def handler(event, context):
    connection = pg8000.dbapi.connect(
        host=os.environ["DATABASE_HOST"], port=int(os.environ["DATABASE_PORT"]),
        database=os.environ["DATABASE_NAME"],
        user=os.environ["DATABASE_USER"], password=os.environ["DATABASE_PASSWORD"],
    )
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'leads_app'")
    if cursor.fetchone()[0] == 0:
        cursor.execute(f"CREATE ROLE leads_app LOGIN PASSWORD '{os.environ['DATABASE_APP_PASSWORD']}'")
        cursor.execute(
            "CREATE TABLE import_job "
            "(id int, status text, failure_code text, failure_reason text, finished_at timestamptz, "
            "processed_rows bigint)"
        )
        cursor.execute("INSERT INTO import_job VALUES (1, 'PROCESSING'), (2, 'COMPLETED')")
    connection.commit()
    connection.close()
"""

FAILING_MIGRATE = """
def handler(event, context):
    raise RuntimeError("migration 0002 does not apply")
"""

TEMPLATE = """
Parameters:
  JwtIssuer: {Type: String}
  DatabaseHost: {Type: String, Default: nowhere}
  DatabasePort: {Type: Number, Default: 1}
  DatabaseName: {Type: String, Default: leads}
  DatabasePassword: {Type: String, Default: ""}
  DatabaseOwnerPassword: {Type: String, Default: ""}
  OrganisationClaim: {Type: String, Default: "custom:org_id"}
  RoleClaim: {Type: String, Default: "custom:role"}
Globals:
  Function:
    Runtime: python3.13
    Handler: app.handler
    Timeout: 20
    Layers: [!Ref TinyLayer]
    Environment:
      Variables:
        BUCKET_NAME: !Sub "${AWS::StackName}-${AWS::AccountId}"
        ISSUER: !Ref JwtIssuer
        DATABASE_HOST: !Ref DatabaseHost
        DATABASE_PORT: !Ref DatabasePort
        DATABASE_NAME: !Ref DatabaseName
Resources:
  TinyLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer/}
  ProbeFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/probe/
      MemorySize: 300
      Events:
        Get: {Type: HttpApi, Properties: {Method: GET, Path: /probe}}
        Post: {Type: HttpApi, Properties: {Method: POST, Path: /probe}}
        Item: {Type: HttpApi, Properties: {Method: GET, Path: "/probe/{id}"}}
        Special: {Type: HttpApi, Properties: {Method: GET, Path: /probe/special}}
        Open: {Type: HttpApi, Properties: {Method: GET, Path: /open, Auth: {Authorizer: NONE}}}
  HastyFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/probe/, Timeout: 1}
  BrokenFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/broken/}
  WorkerFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/probe/
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt DeadLetters.Arn}
      Events:
        Import:
          Type: S3
          Properties:
            Bucket: !Ref Bucket
            Events: s3:ObjectCreated:*
            Filter: {S3Key: {Rules: [{Name: prefix, Value: imports/}]}}
  TickFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/tick/
      EventInvokeConfig: {MaximumRetryAttempts: 0}
      Events:
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  DeadLetters: {Type: AWS::SQS::Queue}
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${AWS::StackName}-${AWS::AccountId}"}
"""

MIGRATING = """
  MigrateDatabaseFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/migrate_database/
      Environment:
        Variables:
          DATABASE_USER: leads_owner
          DATABASE_PASSWORD: !Ref DatabaseOwnerPassword
          DATABASE_APP_PASSWORD: !Ref DatabasePassword
"""


def write_service(directory: Path, migrate: str | None = None) -> Path:
    """Write the service and return its template. `migrate` is the code of a MigrateDatabaseFunction."""
    codes = {"probe": PROBE, "broken": BROKEN, "tick": TICK}
    if migrate is not None:
        codes["migrate_database"] = migrate
    for name, code in codes.items():
        folder = directory / "functions" / name
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(code)
    (directory / "layer").mkdir(parents=True)
    (directory / "layer" / "tiny_layer.py").touch()
    template = directory / "template.yaml"
    template.write_text(TEMPLATE + (MIGRATING if migrate is not None else ""))
    return template
