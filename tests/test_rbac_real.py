"""The service as the chart's ServiceAccount, with the chart's roles and no other, on a real API server with RBAC: it
does what it is there for, every permission that it has is used, and it can read no Secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.error import HTTPError

import pytest

from remediator.cluster.area import Area
from remediator.cluster.kubernetes import KubernetesCluster
from remediator.errors import Forbidden
from remediator.pipeline.housekeeping import Housekeeping
from tests.accounts import RBAC, Account, Installed, granted, installed
from tests.builders import Json, alert, destination_rule, labels, notification, split, virtual_service
from tests.contract import manifest
from tests.definitions import CRDS, crds
from tests.flows import DEADLINE_S, FLAGS, FLOWS, POLICIES, Flow, Stage, withdrawn_and_recorded
from tests.processes import Missing, wait_until
from tests.real_world import CORE, GROUP, QUICK, RECORDS, rest_of
from tests.servers import ApiServer, running_api_server
from tests.service import Service, running_service

pytestmark = pytest.mark.servers

RETENTION = timedelta(days=30)


@dataclass(frozen=True)
class Form:
    """One way to install the chart."""

    release_namespace: str
    watched: tuple[str, ...]
    """Where the flows are."""
    names: tuple[str, ...] = ()
    """`rbac.namespaces`; empty: the whole cluster."""

    @property
    def values(self) -> Json:
        """What is given to the chart."""
        return {"rbac": {"namespaces": list(self.names)}}


FORMS = (
    pytest.param(Form("remediator", ("everywhere",)), id="in the whole cluster"),
    pytest.param(Form("tenant", ("shop", "bank"), ("shop", "bank")), id="in two namespaces"),
)


@dataclass
class Site:
    """An installation: its account, its roles, and the service that runs as it."""

    form: Form
    account: Account
    made: Installed
    service: Service
    done: set[Flow] = field(default_factory=set)

    def run(self, flow: Flow) -> None:
        """Run a flow in each watched namespace, unless that is done."""
        if flow not in self.done:
            for namespace in self.form.watched:
                flow(Stage(self.account.server, self.service, namespace))
            self.done.add(flow)

    def restart(self) -> None:
        """Kill the service, and start it again."""
        self.service.kill()
        self.service.process.start()
        wait_until(self.service.ready, "the service is ready again", DEADLINE_S)

    def complete(self) -> bool:
        """Whether all that is granted stands in the log as used."""
        return granted(self.made.roles) <= self.account.used()


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server that keeps a log of what is asked for, with the kinds of Flagger and Argo Rollouts."""
    with ExitStack() as stack:
        try:
            installed()
            made = stack.enter_context(running_api_server(audited=True))
            made.install(crds(CRDS / "flagger.yaml", "canaries") + crds(CRDS / "argo-rollouts.yaml", "rollouts"))
        except Missing as missing:
            pytest.skip(str(missing))
        made.namespace("istio-system")
        yield made


@pytest.fixture(scope="module", params=FORMS)
def site(server: ApiServer, request: pytest.FixtureRequest) -> Iterator[Site]:
    form: Form = request.param
    server.namespace(*form.watched)
    made = installed(form.values, form.release_namespace)
    account = Account(server, form.release_namespace, made.account["metadata"]["name"])
    account.create(made)
    with running_service(account.kubeconfig(), POLICIES, *FLAGS, *made.namespaces) as service:
        yield Site(form, account, made, service)


@pytest.mark.parametrize("flow", [pytest.param(flow, id=flow.__name__.replace("_", " ")) for flow in FLOWS])
def test_it_does_what_it_is_there_for(site: Site, flow: Flow) -> None:
    site.run(flow)


def test_a_new_process_goes_on_where_the_last_one_ended(site: Site) -> None:
    site.run(withdrawn_and_recorded)
    site.restart()
    for namespace in site.form.watched:
        stage = Stage(site.account.server, site.service, namespace)
        assert ("Unchanged", "NotExposed") == stage.fire("acted")
        stage.put_back("acted")
        wait_until(partial(withdrawn, stage), "it is brought back", DEADLINE_S)


def withdrawn(stage: Stage) -> bool:
    return [100, 0] == stage.weights("acted")


def test_every_permission_is_used_and_no_other_is_asked_for(site: Site) -> None:
    for flow in FLOWS:
        site.run(flow)
    tidy(site)
    site.restart()  # a watch is logged when it ends
    with suppress(TimeoutError):
        wait_until(site.complete, "the server has written its log", DEADLINE_S)
    assert granted(site.made.roles) == site.account.used()
    assert set() == {(verb, resource) for verb, resource in site.account.refused() if resource != "secrets"}


def tidy(site: Site) -> None:
    """Let old records be deleted, as the service does minutes after its start."""
    cluster = KubernetesCluster(rest_of(site.account.server, site.account.user), area=Area(site.form.names), pace=QUICK)
    cluster.start()
    try:
        wait_until(lambda: not cluster.health().records_fault, "the records are known", DEADLINE_S)
        much_later = datetime.now(UTC) + 2 * RETENTION
        # One of the held ones may be written to at that moment.
        housekeeping = Housekeeping(cluster, RETENTION, lambda: much_later)
        wait_until(lambda: housekeeping.tidy() or not finished(cluster), "the old records are deleted", DEADLINE_S)
    finally:
        cluster.stop()


def finished(cluster: KubernetesCluster) -> list[str]:
    """The records that are over."""
    return [str(head.key) for head in cluster.ledger.heads() if head.phase.finished]


# -- what it may not


def test_it_can_read_no_secret(site: Site) -> None:
    server, rest = site.account.server, rest_of(site.account.server, site.account.user)
    for namespace in (site.form.release_namespace, *site.form.watched, "kube-system"):
        server.apply(
            f"{CORE}/namespaces/{namespace}/secrets", {"metadata": {"name": "token"}, "stringData": {"a": "b"}}
        )
        path = f"{CORE}/namespaces/{namespace}/secrets"
        for forbidden in (partial(rest.get, path), partial(rest.get, f"{path}/token")):
            with pytest.raises(Forbidden, match="secrets"):
                forbidden()
    with pytest.raises(Forbidden, match="no permission to list secrets"):
        rest.get(f"{CORE}/secrets")
    with pytest.raises(Forbidden, match="no permission to watch secrets"):
        rest.stream(f"{CORE}/secrets", {"watch": "true"}, 1.0)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        pytest.param("PUT", f"{GROUP}/namespaces/{{}}/virtualservices/acted", id="replace a VirtualService"),
        pytest.param("DELETE", f"{GROUP}/namespaces/{{}}/virtualservices/acted", id="delete one"),
        pytest.param("POST", f"{GROUP}/namespaces/{{}}/destinationrules", id="write a DestinationRule"),
        pytest.param("POST", f"{RECORDS}/pauses", id="pause itself"),
        pytest.param("DELETE", f"{RECORDS}/pauses/fleet", id="take a pause away"),
        pytest.param("POST", f"{CORE}/namespaces/{{}}/pods", id="start a pod"),
        pytest.param("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", id="give itself a role"),
    ],
)
def test_what_it_never_does_it_may_not_do(site: Site, verb: str, path: str) -> None:
    with pytest.raises(HTTPError) as caught:
        site.account.server.request(verb, path.format(site.form.watched[0]), {}, user=site.account.user)
    with caught.value as answer:
        assert 403 == answer.code


@pytest.mark.parametrize("site", FORMS[1:], indirect=True)
def test_what_is_not_watched_is_not_touched_and_not_guessed(site: Site) -> None:
    server, stage = site.account.server, Stage(site.account.server, site.service, site.form.watched[0])
    server.namespace("elsewhere")
    far = "reviews.elsewhere.svc.cluster.local"
    body = virtual_service({"route": split(far, stable=90, canary=10)}, name="far", namespace=stage.namespace)
    stage.create(f"{GROUP}/namespaces/{{}}/virtualservices", manifest(body))
    other = virtual_service({"route": split(stable=90, canary=10)}, namespace="elsewhere")
    server.request("POST", f"{GROUP}/namespaces/elsewhere/virtualservices", manifest(other))
    rule = destination_rule(far, "elsewhere", stable="v1", canary="v2")
    server.request("POST", f"{GROUP}/namespaces/elsewhere/destinationrules", manifest(rule))
    wait_until(lambda: "far" in exposed(site.service), "what is watched is known", DEADLINE_S)

    told = alert(labels(namespace="elsewhere"), fingerprint="far")
    _, answer = site.service.post(notification([told]))

    assert [("far", "Denied", "RulesUnknown")] == [
        (row["target"]["name"], row["outcome"], row["reason"]) for row in answer["outcomes"]
    ]
    assert "DestinationRules in namespace elsewhere" in answer["outcomes"][0]["message"]
    assert [90, 10] == stage.weights("far")


def exposed(service: Service) -> set[str]:
    """The names of the routing objects that it knows to have a canary."""
    _, answer = service.ask("GET", "/api/v1/exposures?limit=500")
    return {each["name"] for each in answer["items"]}


# -- roles for people


@pytest.fixture(scope="module")
def people(server: ApiServer) -> ApiServer:
    """Each of the chart's roles for people is bound to a user of its name: in shop, the pauser's everywhere."""
    server.namespace("shop")
    rbac = "rbac.authorization.k8s.io"
    for role in installed({"fullnameOverride": "people", "rbac": {"create": False}}, "people").roles:
        server.apply(f"{RBAC}/clusterroles", role)
        name = role["metadata"]["name"]
        within = "/clusterrolebindings" if name == "people-pauser" else "/namespaces/shop/rolebindings"
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": name}],
        }
        server.apply(f"{RBAC}{within}", binding)
        wait_until(partial(may, server, name, "list", role["rules"][0]["resources"][0]), f"{name} is bound", DEADLINE_S)
    return server


def may(server: ApiServer, user: str, verb: str, resource: str) -> bool:
    """Whether the server would let `user` do this in namespace shop."""
    plural, _, part = resource.partition("/")
    where = {} if plural == "pauses" else {"namespace": "shop"}
    group = "networking.istio.io" if plural == "virtualservices" else "remediator.io"
    asked = where | {"group": group, "resource": plural, "subresource": part, "verb": verb}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    answer = server.request("POST", path, {"spec": {"user": user, "resourceAttributes": asked}})
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize(
    ("role", "verb", "resource", "allowed"),
    [
        pytest.param("viewer", "list", "remediations", True, id="a viewer reads the records"),
        pytest.param("viewer", "list", "pauses", False, id="bound in a namespace, nothing of the cluster"),
        pytest.param("viewer", "patch", "remediations", False, id="a viewer approves nothing"),
        pytest.param("approver", "patch", "remediations", True, id="an approver approves"),
        pytest.param("approver", "patch", "remediations/status", False, id="but does not say what became of it"),
        pytest.param("approver", "create", "remediations", False, id="and makes no records"),
        pytest.param("approver", "patch", "virtualservices", False, id="and changes no routes"),
        pytest.param("pauser", "create", "pauses", True, id="who pauses may pause"),
        pytest.param("pauser", "delete", "pauses", True, id="and resume"),
        pytest.param("pauser", "list", "remediations", False, id="and needs not know what for"),
    ],
)
def test_a_role_for_people_is_for_what_it_says(
    people: ApiServer, role: str, verb: str, resource: str, *, allowed: bool
) -> None:
    assert allowed is may(people, f"people-{role}", verb, resource)
