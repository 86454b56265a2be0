"""Uses a client that openapi-generator made: upload, submit, follow, download.

Usage: python … <address of the API> <output folder>. Prints what a test compares.
"""

import io
import sys
import time
import zipfile

import openapi_client
from openapi_client.models.run_request import RunRequest

address, text = sys.argv[1], b"alpha\nbeta\n"
with openapi_client.ApiClient(openapi_client.Configuration(host=address)) as client:
    files = openapi_client.FilesApi(client)
    runs = openapi_client.RunsApi(client)
    results = openapi_client.ResultsApi(client)
    file = files.upload_file(text, name="words.txt", _content_type="application/octet-stream").data
    request = RunRequest(workflow="reader", params={"text": file.id}, name="by openapi-generator")
    run = runs.submit_run(request, idempotency_key=f"generator-{time.time_ns()}").data
    while run.state.value not in ("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"):
        time.sleep(0.2)
        run = runs.get_run(run.id).data
    paths = [result.path for result in results.list_results(run.id).data]
    content = results.get_result(run.id, paths[0])
    with zipfile.ZipFile(io.BytesIO(results.get_results_zip(run.id))) as archive:
        names = archive.namelist()
    uploads = openapi_client.UploadsApi(client)
    started = uploads.create_upload(
        tus_resumable="1.0.0", upload_length=len(text), upload_metadata="filename d29yZHMudHh0"
    ).data
    uploads.append_to_upload(
        upload_id=started.id,
        tus_resumable="1.0.0",
        upload_offset=0,
        body=text,
        _content_type="application/offset+octet-stream",
    )
    complete = uploads.get_upload(started.id).data
    deleted = runs.delete_run(run.id)
    print(
        run.state.value, paths, content == text, len(names), complete.file == file.id, deleted.data
    )
