"""Uses a client that openapi-python-client made: upload, submit, follow, download.

Usage: python … <address of the API> <output folder>. Prints what a test compares.
"""

import io
import sys
import time
import zipfile

from rundesk_client import Client
from rundesk_client.api.files import upload_file
from rundesk_client.api.results import get_result, get_results_zip, list_results
from rundesk_client.api.runs import delete_run, get_run, submit_run
from rundesk_client.api.uploads import append_to_upload, create_upload, get_upload
from rundesk_client.models.run_request import RunRequest
from rundesk_client.models.run_request_params_type_0 import RunRequestParamsType0
from rundesk_client.types import File

text = b"alpha\nbeta\n"
with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as client:
    file = upload_file.sync(client=client, body=File(io.BytesIO(text)), name="words.txt").data
    params = RunRequestParamsType0.from_dict({"text": file.id})
    request = RunRequest(workflow="reader", params=params, name="by openapi-python-client")
    key = f"python-client-{time.time_ns()}"
    run = submit_run.sync(client=client, body=request, idempotency_key=key).data
    while run.state not in ("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"):
        time.sleep(0.2)
        run = get_run.sync(run.id, client=client).data
    paths = [result.path for result in list_results.sync(run.id, client=client).data]
    content = get_result.sync(run.id, paths[0], client=client).payload.read()
    with zipfile.ZipFile(get_results_zip.sync(run.id, client=client).payload) as archive:
        names = archive.namelist()
    started = create_upload.sync(
        client=client,
        tus_resumable="1.0.0",
        upload_length=len(text),
        upload_metadata="filename d29yZHMudHh0",
    ).data
    append_to_upload.sync_detailed(
        started.id,
        client=client,
        body=File(io.BytesIO(text)),
        tus_resumable="1.0.0",
        upload_offset=0,
    )
    complete = get_upload.sync(started.id, client=client).data
    deleted = delete_run.sync(run.id, client=client)
    print(run.state, paths, content == text, len(names), complete.file == file.id, deleted.data)
