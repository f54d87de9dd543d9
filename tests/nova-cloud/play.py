"""Plays pvm against the real Nova, and says for each scenario whether Nova, both hypervisors, the guest and pvm agree.

play.py HOSTS PVM [PART…]: run by "cloud play" on the controller. HOSTS is the folder of tests/two-hosts, PVM a debug build (it
ends itself where a scenario says so). With PARTs only the scenarios whose names contain one of them are played.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import seed
from api import NOVA, Disagrees, act, boot, check, get, service, show, wait

HOSTS, PVM, *PARTS = sys.argv[1:]
TWO_HOSTS = str(Path(__file__).resolve().parent.parent / "two-hosts" / "two-hosts")
OPENRC = {key: value for key, value in os.environ.items() if key.startswith("OS_")}
SCENARIOS, ROWS = [], []


def scenario(play):
    SCENARIOS.append(play)
    return play


# --- hosts and pvm


def on(host, *command):
    return subprocess.run([TWO_HOSTS, "exec", HOSTS, host, *command], capture_output=True, text=True, timeout=300)


def where(server):
    """The hosts whose libvirt runs the guest."""
    return [h for h in "ab" if on(h, "virsh", "-q", "domstate", server).stdout.strip() in ("running", "paused")]


def told(server, host):
    """What the guest printed last on this host: its count, and the number it drew when it booted."""
    log = Path(HOSTS, f"host-{host}", "var/lib/nova/instances", server, "console.log")
    lines = re.findall(r"number=(\w+) counter=(\d+) memory=(\w+)", log.read_text(errors="replace")) if log.exists() else []
    return lines[-1] if lines else None


# The hosts have no pvm of their own in this harness: nobody there reads these.
DRY_RUN = ["--dry-run", "--allow", "hooks,lock-manager"]


class Run:
    """One run of pvm on a host."""

    def __init__(self, host, *args, env=None, **more):
        full = {**OPENRC, **(env or {}), **more}
        words = [f"{key}={value}" for key, value in full.items() if value is not None]
        unset = [word for key, value in full.items() if value is None for word in ("-u", key)]
        unset += [word for key in OPENRC if key not in full for word in ("-u", key)]
        command = [TWO_HOSTS, "exec", HOSTS, host, "env", *unset, "TERM=dumb", *words, PVM, *args]
        self.began, self.lines = time.time(), []
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.time(), line.rstrip()))

    def says(self, text, seconds=60):
        wait(lambda: text in self.text() or self.process.poll() is not None, seconds)
        return self

    def text(self):
        return "\n".join(line for _, line in list(self.lines))

    def when(self, text):
        return next((at for at, line in self.lines if text in line), None)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self

    def end(self, *codes):
        code = self.process.wait(240)
        self.reader.join()
        self.ended = time.time()
        check(code in codes, f"exit {code}, not {codes}: {self.text()[-600:]}")
        return code


def uri(host):
    return f"qemu+tcp://host-{host}/system"


def migrate(server, source, *more, **env):
    target = "b" if source == "a" else "a"
    return Run(source, "migrate", server, uri(target), "--yes", "-v", *more, **env)


def settled(server, host, status="ACTIVE"):
    """Nova, both hypervisors and the guest say that it is on this host, and its memory is good."""
    check(where(server) == [host], f"it runs on {where(server)}, not on {host}")
    now = show(server)
    seen = (now["status"], now["OS-EXT-SRV-ATTR:host"])
    check(seen == (status, f"host-{host}"), f"Nova says {seen}")
    if status == "PAUSED":
        return
    before = told(server, host)
    wait(lambda: told(server, host) not in (None, before), 20)
    nonce, _, memory = told(server, host)
    check(memory == "ok", f"its memory is {memory}")
    known = NONCES.setdefault(server, nonce)
    check(nonce == known, "it was started anew")


NONCES = {}


def moved(server, source):
    run = migrate(server, source)
    run.end(0)
    settled(server, "b" if source == "a" else "a")
    return run


def home(server):
    """Brings it back to host a, whatever a scenario left."""
    if show(server)["status"] == "ERROR":
        act(server, os_resetState={"state": "active"})
    wait(lambda: show(server)["OS-EXT-STS:task_state"] is None and len(where(server)) == 1, 60)
    if where(server) == ["b"]:
        moved(server, "b")


# --- scenarios: each gets a server that runs on host a


@scenario
def moved_there_and_back(server):
    """numbers: what pvm adds"""
    numbers = []
    for source in "ab":
        run = moved(server, source)
        requests = re.search(r"requests to OpenStack: (\d+) before, (\d+) in all", run.text())
        before = run.when("migrating") - run.began
        after = run.ended - run.when(": completed")
        numbers.append(f"{before:.2f} s and {requests[1]} requests before, {after:.2f} s after, {requests[2]} in all")
    return "; ".join(numbers)


@scenario
def by_name_and_by_domain(server):
    for word, source in ((show(server)["name"], "a"), (show(server)["OS-EXT-SRV-ATTR:instance_name"], "b")):
        migrate(word, source).end(0)
    settled(server, "a")


@scenario
def dry_run_changes_nothing(server):
    run = Run("a", "migrate", server, uri("b"), *DRY_RUN)
    run.end(0)
    check("host-a -> host-b" in run.text(), run.text())
    settled(server, "a")


@scenario
def two_at_once(server):
    other = boot("second", "host-a")
    try:
        runs = [migrate(one, "a") for one in (server, other)]
        for run in runs:
            run.end(0)
        for one in (server, other):
            settled(one, "b")
    finally:
        seed.session.delete(f"{NOVA}/servers/{other}")


def aborted(server, word):
    # Slow enough for an abort to be in time.
    on("a", "virsh", "migrate-setspeed", server, "1")
    run = migrate(server, "a").says(word).stop()
    code = run.end(0, 5, 130)
    settled(server, "b" if code == 0 else "a", "ERROR" if code == 5 else "ACTIVE")
    if code == 5:
        check(f"openstack server set --state active {server}" in run.text(), run.text())
        Run("a", "verify", server).end(5)
        refused = migrate(server, "a")
        refused.end(1)
        check("in ERROR" in refused.text(), refused.text())
    return f"exit {code}"


@scenario
def aborted_early(server):
    return aborted(server, ": accepted")


@scenario
def aborted_late(server):
    return aborted(server, ": running")


@scenario
def aborted_by_its_limit(server):
    on("a", "virsh", "migrate-setspeed", server, "1")
    run = migrate(server, "a", "--timeout", "1s")
    code = run.end(0, 4, 5)
    settled(server, "b" if code == 0 else "a", "ERROR" if code == 5 else "ACTIVE")
    return f"exit {code}"


def refused(server, code, words, *more, **env):
    run = migrate(server, "a", *more, **env)
    run.end(code)
    check(words in run.text() and "nothing was changed" in run.text(), run.text())
    check("hush" not in run.text(), "it shows the password")
    settled(server, "a")


@scenario
def wrong_password(server):
    refused(server, 3, "HTTP 401", OS_PASSWORD="hush")


@scenario
def wrong_cloud_and_none(server):
    refused(server, 3, "cloud nowhere", "--os-cloud", "nowhere")
    refused(server, 3, "cannot log in", OS_AUTH_URL="http://controller:1/v3")
    refused(server, 1, f"--host host-b.test --wait {server}", env={key: None for key in OPENRC})


@scenario
def credentials_of_every_kind(server):
    token = seed.login()
    names = {"id": None, "name": "pvm", "secret": "quiet"}
    answer = seed.post(
        f"{seed.KEYSTONE}/users/{token['user']['id']}/application_credentials",
        {"application_credential": {"name": names["name"], "secret": names["secret"]}},
    )["application_credential"]
    url = OPENRC["OS_AUTH_URL"]
    bare = {key: None for key in OPENRC}
    ways = [
        {"OS_APPLICATION_CREDENTIAL_ID": answer["id"], "OS_APPLICATION_CREDENTIAL_SECRET": names["secret"]},
        {"OS_AUTH_TYPE": "token", "OS_TOKEN": seed.session.headers["X-Auth-Token"], "OS_PROJECT_ID": token["project"]["id"]},
    ]
    try:
        for way in ways:
            run = Run("a", "migrate", server, uri("b"), *DRY_RUN, env={**bare, "OS_AUTH_URL": url, **way})
            run.end(0)
            check("host-a -> host-b" in run.text(), run.text())
        folder = Path(HOSTS, "host-a", "etc", "nova", "openstack")
        folder.mkdir(exist_ok=True)
        auth = {"auth_url": url, "application_credential_id": answer["id"]}
        (folder / "clouds.yaml").write_text(json.dumps({"clouds": {"lab": {"auth": auth, "auth_type": "v3applicationcredential"}}}))
        secret = {"application_credential_secret": names["secret"]}
        (folder / "secure.yaml").write_text(json.dumps({"clouds": {"lab": {"auth": secret}}}))
        files = {"OS_CLIENT_CONFIG_FILE": "/etc/nova/openstack/clouds.yaml", "OS_CLIENT_SECURE_FILE": "/etc/nova/openstack/secure.yaml"}
        run = Run("a", "migrate", server, uri("b"), *DRY_RUN, "--os-cloud", "lab", env={**bare, **files})
        run.end(0)
    finally:
        seed.session.delete(f"{seed.KEYSTONE}/users/{token['user']['id']}/application_credentials/{answer['id']}")


@scenario
def a_user_who_may_not(server):
    domain = {"domain_id": "default"}
    project = seed.post(f"{seed.KEYSTONE}/projects", {"project": {"name": "plain", **domain}})["project"]["id"]
    user = seed.post(f"{seed.KEYSTONE}/users", {"user": {"name": "plain", "password": "hush", **domain}})["user"]["id"]
    role = next(r["id"] for r in seed.session.get(f"{seed.KEYSTONE}/roles").json()["roles"] if r["name"] == "member")
    seed.post(f"{seed.KEYSTONE}/projects/{project}/users/{user}/roles/{role}", None, "PUT")
    try:
        plain = {"OS_USERNAME": "plain", "OS_PASSWORD": "hush", "OS_PROJECT_NAME": "plain"}
        refused(server, 1, "does not show it to this user", **plain)
    finally:
        seed.session.delete(f"{seed.KEYSTONE}/users/{user}")
        seed.session.delete(f"{seed.KEYSTONE}/projects/{project}")


@scenario
def destination_disabled(server):
    service("host-b", status="disabled", disabled_reason="new fans")
    try:
        refused(server, 1, "disabled (new fans)")
    finally:
        service("host-b", status="enabled")


@scenario
def destination_forced_down(server):
    service("host-b", forced_down=True)
    try:
        refused(server, 1, "compute service on host-b is down")
    finally:
        service("host-b", forced_down=False)


@scenario
def a_name_that_two_have(server):
    other = boot(show(server)["name"], "host-b")
    try:
        run = migrate(show(server)["name"], "a")
        run.end(1)
        check(server in run.text() and other in run.text() and "give the UUID" in run.text(), run.text())
    finally:
        seed.session.delete(f"{NOVA}/servers/{other}")


@scenario
def paused_stays_paused(server):
    act(server, pause=None)
    wait(lambda: show(server)["status"] == "PAUSED", 30)
    try:
        migrate(server, "a").end(0)
        settled(server, "b", "PAUSED")
    finally:
        act(server, unpause=None)
        wait(lambda: show(server)["status"] == "ACTIVE", 30)
    settled(server, "b")


@scenario
def in_error_and_found_by_verify(server):
    Run("a", "verify", server, "--since", "1h").end(0)
    act(server, os_resetState={"state": "error"})
    run = Run("a", "verify", server, "--since", "1h")
    run.end(5)
    check(f"openstack server set --state active {server}" in run.text(), run.text())
    refused_run = migrate(server, "a")
    refused_run.end(1)
    check("in ERROR" in refused_run.text(), refused_run.text())
    act(server, os_resetState={"state": "active"})


def database(name, statement):
    """What no API can be made to do."""
    socket_of = f"--socket={Path(HOSTS).parent}/mysql.sock"
    subprocess.run(["mariadb", "--no-defaults", socket_of, name, "-e", statement], check=True, capture_output=True)


@scenario
def a_binding_left_in_neutron_is_found(server):
    """As a migration leaves it that failed while Neutron was gone."""
    neutron = seed.SERVICES["neutron"][1] + "/v2.0"
    net = seed.post(f"{neutron}/networks", {"network": {"name": "n"}})["network"]["id"]
    port = {"network_id": net, "device_id": server, "device_owner": "compute:nova"}
    port = seed.post(f"{neutron}/ports", {"port": port})["port"]["id"]
    values = f"'{port}', 'host-b', 'hw_veb', 'direct', '', '', 'INACTIVE'"
    columns = "port_id, host, vif_type, vnic_type, profile, vif_details, status"
    try:
        Run("a", "verify", server, "--since", "1h").end(0)
        database("neutron", f"insert into ml2_port_bindings ({columns}) values ({values})")
        run = Run("a", "verify", server, "--since", "1h")
        run.end(5)
        words = run.text().replace("\n  ", " ")
        check(f"inactive binding of port {port} to host-b" in words and f"bindings --port {port}" in words, words)
    finally:
        seed.session.delete(f"{neutron}/ports/{port}")
        seed.session.delete(f"{neutron}/networks/{net}")


@scenario
def api_gone_for_a_while(server):
    pids = Path(HOSTS).parent / "run"
    pid = int((pids / "nova-api.pid").read_text())
    run = migrate(server, "a").says(": accepted")
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(35)
    finally:
        os.kill(pid, signal.SIGCONT)
    run.end(0)
    settled(server, "b")
    return "asked again" if "asked again" in run.text() else "not noticed"


def killed_service(name):
    """Kills a service of Nova with all its processes; gives its command."""
    run = Path(HOSTS).parent / "run" / f"{name}.pid"
    pid = int(run.read_text())
    title = Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ").strip()
    # A service with workers writes its command into a title of its own.
    command = (re.search(r"\[(.*)\]", title) or re.match(r"(.*)", title))[1].split()
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    return command


def started_service(name, command):
    run = Path(HOSTS).parent / "run" / f"{name}.pid"
    with open(Path(HOSTS).parent / "log" / name, "ab") as log:
        again = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    run.write_text(f"{again.pid}\n")


def crashed(name, *within):
    """Kills a service of Nova, and starts it again after five seconds."""
    command = killed_service(name)
    time.sleep(5)
    started_service(name, [*within, *command])


@scenario
def conductor_killed(server):
    on("a", "virsh", "migrate-setspeed", server, "1")
    run = migrate(server, "a").says(": running", 120)
    crashed("nova-conductor")
    run.end(0)
    settled(server, "b")


@scenario
def compute_of_the_destination_killed(server):
    on("a", "virsh", "migrate-setspeed", server, "1")
    run = migrate(server, "a").says(": running", 120)
    crashed("nova-compute-b", *on_host("b"))
    run.end(0)
    settled(server, "b")


def on_host(host):
    return [TWO_HOSTS, "exec", HOSTS, host, "env", "HOME=/root"]


@scenario
def compute_of_the_source_killed(server):
    """Nova goes on with nothing, and does not say so; the server is one that nobody needs afterwards."""
    other = boot("second", "host-a")
    on("a", "virsh", "migrate-setspeed", other, "1")
    run = migrate(other, "a").says(": running", 120)
    command = killed_service("nova-compute-a")
    began = time.time()
    try:
        code = run.end(5, 6)
        check("compute service on host-a" in run.text() and "is down" in run.text(), run.text())
        place = where(other)
        check(len(place) == 1 and f"host-{place[0]}" in run.text(), f"it runs on {place}: {run.text()}")
        return f"exit {code} after {run.ended - began:.0f} s, on host-{place[0]}"
    finally:
        started_service("nova-compute-a", [*on_host("a"), *command])
        seed.wait_computes(2)
        migration = get(f"/os-migrations?instance_uuid={other}&limit=1")["migrations"][0]["uuid"]
        seed.session.delete(f"{NOVA}/servers/{other}")
        wait(lambda: not get("/servers?name=second")["servers"], 60)
        for host in "ab":
            on(host, "virsh", "destroy", other)
            on(host, "virsh", "undefine", other)
        # What Placement had set aside for the migration is nobody's now, and pvm's record of it is open.
        seed.session.delete(f"{seed.SERVICES['placement'][1]}/allocations/{migration}")
        Run("a", "recover", re.search(r"pvm recover (\S+)", run.text())[1]).end(5)


@scenario
def a_certificate_of_an_unknown_authority(server):
    folder = Path(HOSTS, "host-a", "etc", "nova")
    key, certificate = folder / "tls.key", folder / "tls.crt"
    if not shutil.which("openssl"):
        raise Disagrees("openssl is not installed: it makes the certificate")
    names = "subjectAltName=DNS:controller"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=controller", "-addext", names]
    made += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("0.0.0.0", 5443))

    def pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                client = context.wrap_socket(plain, server_side=True)
            except (OSError, ssl.SSLError):
                continue
            inside = socket.create_connection(("controller", 5000))
            for pair in ((client, inside), (inside, client)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        url = "https://controller:5443/v3"
        refused(server, 3, "authority that is not known", OS_AUTH_URL=url)
        run = Run("a", "migrate", server, uri("b"), *DRY_RUN, OS_AUTH_URL=url, OS_CACERT="/etc/nova/tls.crt")
        run.end(0)
    finally:
        listener.close()


def compute(host):
    """The compute service: its state, and why it is disabled."""
    found = next(s for s in get("/os-services?binary=nova-compute")["services"] if s["host"] == host)
    return found["status"], found["disabled_reason"]


DRAIN = ["drain", "local", "--to", uri("b"), "--yes"]


@scenario
def a_host_is_drained(server):
    """Two of Nova's guests and one of libvirt's in one plan."""
    other = boot("second", "host-a")
    plain = subprocess.run([TWO_HOSTS, "guest", HOSTS, "a", "plain"], capture_output=True, text=True)
    check(plain.returncode == 0, plain.stderr)
    try:
        run = Run("a", *DRAIN)
        run.says("Nova's migration")
        check(compute("host-a")[0] == "disabled" and compute("host-a")[1].startswith("pvm drain "), compute("host-a"))
        run.end(0)
        check("3 guests left" in run.text() and "disabled first" in run.text(), run.text())
        for one in (server, other):
            settled(one, "b")
        check(where("plain") == ["b"], f"plain runs on {where('plain')}")
        check(compute("host-a")[0] == "disabled", "Nova's scheduler uses the host again")
        back = Run("a", "drain", "local", "--uncordon")
        back.end(0)
        check(compute("host-a") == ("enabled", None), f"{compute('host-a')}: {back.text()}")
    finally:
        service("host-a", status="enabled")
        for host in "ab":
            on(host, "virsh", "destroy", "plain")
        seed.session.delete(f"{NOVA}/servers/{other}")


@scenario
def a_drain_leaves_what_others_disabled(server):
    service("host-a", status="disabled", disabled_reason="new fans")
    try:
        run = Run("a", *DRAIN)
        run.end(0)
        check("disabled already (new fans)" in run.text(), run.text())
        settled(server, "b")
        Run("a", "drain", "local", "--uncordon").end(0)
        check(compute("host-a") == ("disabled", "new fans"), compute("host-a"))
    finally:
        service("host-a", status="enabled")


@scenario
def a_drain_whose_reason_somebody_replaced(server):
    try:
        Run("a", *DRAIN).end(0)
        service("host-a", status="disabled", disabled_reason="new fans")
        run = Run("a", "drain", "local", "--uncordon")
        run.end(0)
        check("stays disabled by somebody else: new fans" in run.text(), run.text())
        check(compute("host-a") == ("disabled", "new fans"), compute("host-a"))
    finally:
        service("host-a", status="enabled")


@scenario
def a_drain_to_a_host_whose_service_is_down(server):
    """Known while it is planned: nothing is begun."""
    for fields, back, words in (
        ({"forced_down": True}, {"forced_down": False}, "compute service on host-b is down"),
        ({"status": "disabled", "disabled_reason": "new fans"}, {"status": "enabled"}, "on host-b is disabled (new fans)"),
    ):
        service("host-b", **fields)
        try:
            for more in ([], ["--dry-run"]):
                run = Run("a", *DRAIN[:-1], *(more or ["--yes"]))
                run.end(1)
                check(words in " ".join(run.text().split()), run.text())
            check(compute("host-a") == ("enabled", None), compute("host-a"))
        finally:
            service("host-b", **back)
    settled(server, "a")


@scenario
def a_drain_without_a_cloud(server):
    bare = {key: None for key in OPENRC}
    run = Run("a", *DRAIN, env=bare)
    run.end(1)
    check("belongs to nova" in run.text() and "no guest can leave" in run.text(), run.text())
    settled(server, "a")
    wrong = Run("a", *DRAIN, OS_PASSWORD="hush")
    wrong.end(3)
    check("HTTP 401" in wrong.text() and "hush" not in wrong.text(), wrong.text())
    check(compute("host-a") == ("enabled", None), compute("host-a"))
    settled(server, "a")
    Run("a", *DRAIN).end(0)
    left = Run("a", "drain", "local", "--uncordon", env=bare)
    left.end(5)
    check("openstack compute service set --enable host-a nova-compute" in left.text(), left.text())
    service("host-a", status="enabled")


@scenario
def a_drain_killed_and_resumed(server):
    """Before Nova is told, and in the middle of the move."""
    codes = []
    for point in ("after:drain-plan", "after:nova-accepted"):
        run = Run("a", *DRAIN, PVM_FAULT=point)
        check(run.process.wait(120) != 0, f"{point} was not reached: {run.text()}")
        resumed = Run("a", "drain", "local", "--resume", "--yes")
        codes.append(resumed.end(0))
        settled(server, "b")
        check(compute("host-a")[0] == "disabled", f"{point}: the host's service is enabled: {resumed.text()}")
        Run("a", "drain", "local", "--uncordon").end(0)
        check(compute("host-a") == ("enabled", None), f"{point}: {compute('host-a')}")
        home(server)
    return f"exit {codes}"


@scenario
def destination_full(server):
    """What pvm says beforehand, and what Nova's scheduler then makes of it."""
    placement, version = seed.SERVICES["placement"][1], {"OpenStack-API-Version": "placement 1.36"}

    def held(path):
        return seed.session.get(placement + path, headers=version).json()

    root = next(r for r in held("/resource_providers")["resource_providers"] if r["name"].startswith("host-b"))["uuid"]
    of = f"/resource_providers/{root}"
    inventory = held(f"{of}/inventories")["inventories"]["MEMORY_MB"]
    most = int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"])
    nobody, project = str(uuid.uuid4()), seed.login()["project"]["id"]
    rest = most - held(f"{of}/usages")["usages"]["MEMORY_MB"] - 1
    body = {"allocations": {root: {"resources": {"MEMORY_MB": rest}}}, "project_id": project, "user_id": project}
    body["consumer_generation"] = None
    seed.post(f"{placement}/allocations/{nobody}", body, "PUT", headers=version)
    try:
        refused(server, 1, "Placement has on host-b 1 MEMORY_MB free")
        seed.post(f"{NOVA}/servers/{server}/action", {"os-migrateLive": {"host": "host-b", "block_migration": "auto"}})
        last = f"/os-migrations?instance_uuid={server}&limit=1"
        wait(lambda: get(last)["migrations"][0]["status"] == "error", 60)
        wait(lambda: show(server)["OS-EXT-STS:task_state"] is None, 60)
        settled(server, "a")
    finally:
        seed.session.delete(f"{placement}/allocations/{nobody}", headers=version)


@scenario
def placement_is_audited(server):
    """What is left over there is told; then nothing is."""
    placement, version = seed.SERVICES["placement"][1], {"OpenStack-API-Version": "placement 1.36"}

    def held(path):
        return seed.session.get(placement + path, headers=version).json()

    root = next(r for r in held("/resource_providers")["resource_providers"] if r["name"].startswith("host-a"))
    good = Run("a", "inventory", "--placement", "--strict")
    good.end(0)
    check("MEMORY_MB" in good.text(), good.text())
    nobody = str(uuid.uuid4())
    project = seed.login()["project"]["id"]
    body = {"allocations": {root["uuid"]: {"resources": {"MEMORY_MB": 16}}}, "project_id": project, "user_id": project}
    body["consumer_generation"] = None
    child = {"name": root["name"] + "_0000:81:00.0", "uuid": str(uuid.uuid4()), "parent_provider_uuid": root["uuid"]}
    seed.post(f"{placement}/allocations/{nobody}", body, "PUT", headers=version)
    seed.post(f"{placement}/resource_providers", child, headers=version)
    try:
        found = Run("a", "inventory", "--placement", "--strict")
        found.end(1)
        asked = Run("a", "inventory", "--placement", "-o", "json")
        asked.end(0)
        document = json.loads(asked.text()[asked.text().index("{") : asked.text().rindex("}") + 1])
        there = {one["uuid"]: one for one in document["placement_held"]}
        check(there[root["uuid"]]["allocations"][nobody] == {"MEMORY_MB": 16} and child["uuid"] in there, there)
        for words in (f"16 MEMORY_MB set aside for {nobody}", f"allocation delete {nobody}", child["name"], "report_in_placement is off"):
            check(words in found.text().replace("\n", " "), f"{words}: {found.text()}")
    finally:
        seed.session.delete(f"{placement}/allocations/{nobody}", headers=version)
        seed.session.delete(f"{placement}/resource_providers/{child['uuid']}", headers=version)


def killed(server, point):
    run = migrate(server, "a", PVM_FAULT=point)
    check(run.process.wait(120) != 0, f"{point} was not reached: {run.text()}")
    listed = Run("a", "recover")
    listed.end(0)
    found = re.search(r"^(\S+)  \S+  ", listed.text(), re.M)
    check(found, f"no journal waits: {listed.text()}")
    recovered = Run("a", "recover", found[1])
    code = recovered.end(0)
    settled(server, "b")
    return f"exit {code}"


for point in (
    "after:nova-request before:nova-accepted after:nova-accepted before:switched after:switched before:perform-returned "
    "before:verify before:done"
).split():

    def play(server, point=point):
        if point == "after:nova-request":
            # Nova was not asked yet: after a while pvm knows that.
            run = migrate(server, "a", PVM_FAULT=point)
            check(run.process.wait(120) != 0, f"{point} was not reached")
            identity = re.search(r"^(\S+)  \S+  ", (listed := Run("a", "recover")).end(0) or listed.text(), re.M)[1]
            Run("a", "recover", identity).end(0, 4)
            return settled(server, "a")
        return killed(server, point)

    play.__name__ = "killed_" + point.replace(":", "_").replace("-", "_")
    scenario(play)


@scenario
def killed_while_aborting(server):
    on("a", "virsh", "migrate-setspeed", server, "1")
    run = migrate(server, "a", PVM_FAULT="after:nova-abort").says(": accepted").stop()
    code = run.process.wait(120)
    check(code != 0, f"it was not reached: {run.text()}")
    listed = Run("a", "recover")
    listed.end(0)
    identity = re.search(r"^(\S+)  \S+  ", listed.text(), re.M)[1]
    code = Run("a", "recover", identity, "--abort").end(0, 4, 5, 130)
    wait(lambda: len(where(server)) == 1, 30)
    return f"exit {code}, on host-{where(server)[0]}"


def main():
    if unknown := [part for part in PARTS if not any(part in play.__name__ for play in SCENARIOS)]:
        sys.exit(f"no scenario has {', '.join(unknown)} in its name")
    seed.login()
    seed.session.headers["OpenStack-API-Version"] = "compute 2.96"
    server = boot("db-7", "host-a")
    wait(lambda: told(server, "a"), 60)
    failed = 0
    for play in SCENARIOS:
        if PARTS and not any(part in play.__name__ for part in PARTS):
            continue
        began = time.monotonic()
        try:
            home(server)
            note = play(server) or ""
            verdict = "agrees"
        except (Disagrees, subprocess.SubprocessError, KeyError, TypeError, AttributeError) as error:
            verdict, note, failed = "DISAGREES", f"{type(error).__name__}: {error}", failed + 1
        row = f"| {play.__name__.replace('_', ' ')} | {verdict} | {time.monotonic() - began:.1f} s | {note} |"
        print(row, flush=True)
    seed.session.delete(f"{NOVA}/servers/{server}")
    sys.exit(1 if failed else 0)


main()
