"""What the scenarios ask of Nova, besides what pvm asks. `seed.login` first."""

import time

import seed

NOVA = seed.SERVICES["nova"][1]


class Disagrees(Exception):
    """What was seen is not what has to be."""


def check(true, what):
    if not true:
        raise Disagrees(what)


def get(path):
    return seed.session.get(NOVA + path).json()


def act(server, **what):
    seed.post(f"{NOVA}/servers/{server}/action", {key.replace("_", "-"): value for key, value in what.items()})


def show(server):
    return get(f"/servers/{server}")["server"]


def boot(name, host, flavor="tiny", kernel="guest", seconds=60):
    images = seed.session.get(seed.SERVICES["glance"][1] + "/v2/images").json()["images"]
    image = next(i["id"] for i in images if i["name"] == kernel)
    body = {"name": name, "flavorRef": flavor, "imageRef": image, "networks": "none", "host": host}
    server = seed.post(f"{NOVA}/servers", {"server": body})["server"]["id"]
    wait(lambda: show(server)["status"] != "BUILD", seconds)
    check(show(server)["status"] == "ACTIVE", f"{name} does not boot: {show(server).get('fault')}")
    return server


def service(host, **fields):
    found = next(s for s in get("/os-services?binary=nova-compute")["services"] if s["host"] == host)
    seed.post(f"{NOVA}/os-services/{found['id']}", fields, "PUT")


def wait(until, seconds):
    end = time.monotonic() + seconds
    while not until():
        check(time.monotonic() < end, "it takes too long")
        time.sleep(0.3)
