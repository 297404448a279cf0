"""Flags, environment and file: which one counts, and what is said of a wrong one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator import settings
from remediator.errors import SettingsError
from remediator.outcome import NoticeKind
from remediator.settings.forms import Rate

ANONYMOUS = {"allow-anonymous": "true"}


def faults(flags: dict[str, object], environ: dict[str, str] | None = None, *, serving: bool = False) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings.read(flags, environ or {}, serving=serving)  # type: ignore[arg-type]
    return str(caught.value).splitlines()


def config(folder: Path, text: str) -> dict[str, object]:
    path = folder / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return {"config": str(path)}


class TestPrecedence:
    def test_nothing_given_is_the_defaults(self) -> None:
        found = settings.read({}, {})

        assert found == settings.Settings(
            listen="0.0.0.0:8080",
            policies=(settings.packaged_policies(),),
            manifests=None,
            kubeconfig=None,
            context=None,
            namespaces=(),
            root_namespace="istio-system",
            token_file=None,
            tls_cert_file=None,
            tls_key_file=None,
            allow_anonymous=False,
            mode="Enforce",
            opt_in=False,
            budget=Rate(10, 600.0),
            max_alert_age=3600.0,
            approve_within=3600.0,
            known_bad=7 * 86400.0,
            prometheus_url=None,
            verify_within=120.0,
            gitops_pause=False,
            notify_file=None,
            notify_on=tuple(kind for kind in NoticeKind if kind.usual),
            threads=16,
            max_body=4 * 2**20,
            shutdown_grace=20.0,
            retention=30 * 86400.0,
            origins={setting.name: "default" for setting in settings.TABLE},
        )

    @pytest.mark.parametrize(
        ("flags", "environ", "threads", "origin"),
        [
            pytest.param({"threads": "1"}, {"REMEDIATOR_THREADS": "2"}, 1, "--threads", id="a flag wins over all"),
            pytest.param({}, {"REMEDIATOR_THREADS": "2"}, 2, "REMEDIATOR_THREADS", id="a variable wins over the file"),
            pytest.param({}, {}, 3, "r.yaml, key threads", id="the file wins over the default"),
            pytest.param({}, {"REMEDIATOR_THREADS": ""}, 3, "r.yaml, key threads", id="an empty variable is none"),
        ],
    )
    def test_the_stronger_source_wins(
        self, tmp_path: Path, flags: dict[str, str], environ: dict[str, str], threads: int, origin: str
    ) -> None:
        found = settings.read(flags | config(tmp_path, "threads: 3"), environ)  # type: ignore[operator]

        assert threads == found.threads
        assert found.origins["threads"].endswith(origin)

    def test_the_environment_may_name_the_file(self, tmp_path: Path) -> None:
        path = config(tmp_path, "mode: Observe")["config"]

        assert settings.read({}, {"REMEDIATOR_CONFIG": str(path)}).mode == "Observe"

    def test_every_setting_can_come_from_each_source(self, tmp_path: Path) -> None:
        texts = {
            "listen": "[::1]:9",
            "policies": "a,b",
            "manifests": "m",
            "kubeconfig": "k",
            "context": "c",
            "namespaces": "shop-*,pay",
            "root-namespace": "istio-config",
            "token-file": "t",
            "tls-cert-file": "c.pem",
            "tls-key-file": "k.pem",
            "allow-anonymous": "true",
            "mode": "Observe",
            "opt-in": "true",
            "gitops-pause": "true",
            "budget": "20/1h",
            "max-alert-age": "30m",
            "approve-within": "2h",
            "known-bad": "14d",
            "prometheus-url": "https://prometheus.monitoring:9090/prometheus",
            "verify-within": "5m",
            "notify-file": "n",
            "notify-on": "HoldLost,Applied",
            "threads": "2",
            "max-body": "512KiB",
            "shutdown-grace": "1m30s",
            "retention": "1w2d",
        }
        assert {setting.name for setting in settings.TABLE} == set(texts)
        for name, text in texts.items():
            variable = "REMEDIATOR_" + name.upper().replace("-", "_")
            by_flag = settings.shown(settings.read({name: text}, {}))
            assert by_flag == settings.shown(settings.read({}, {variable: text}))
            assert by_flag == settings.shown(settings.read(config(tmp_path, f"{name}: '{text}'"), {}))  # type: ignore[arg-type]
            assert by_flag != settings.shown(settings.read({}, {}))


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param("4MiB", 4194304, id="mebibytes"),
            pytest.param("512KiB", 524288, id="kibibytes"),
            pytest.param("1000000", 1000000, id="bytes"),
        ],
    )
    def test_a_size(self, text: str, value: int) -> None:
        assert value == settings.read({"max-body": text}, {}).max_body

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param("10/10m", Rate(10, 600.0), id="so many in so long"),
            pytest.param("1/1d", Rate(1, 86400.0), id="the longest window"),
            pytest.param("off", None, id="none"),
        ],
    )
    def test_a_budget(self, text: str, value: Rate | None) -> None:
        assert value == settings.read({"budget": text}, {}).budget

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            pytest.param("budget", "10", id="a budget without a window"),
            pytest.param("budget", "0/10m", id="a budget of nothing"),
            pytest.param("budget", "10/0", id="a budget in no time"),
            pytest.param("budget", "10/2d", id="a budget of days"),
            pytest.param("max-alert-age", "500ms", id="an age below a second"),
            pytest.param("approve-within", "30s", id="a wait that is too short"),
            pytest.param("approve-within", "8d", id="a wait that is too long"),
            pytest.param("opt-in", "yes", id="a switch that is neither"),
        ],
    )
    def test_a_bound_of_the_guards_that_is_none(self, name: str, text: str) -> None:
        (fault,) = faults({name: text}, {})
        assert fault.startswith(f"--{name}: '{text}' is n")

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param("20s", 20.0, id="seconds"),
            pytest.param("1m30s", 90.0, id="minutes and seconds"),
            pytest.param("250ms", 0.25, id="milliseconds"),
            pytest.param("0", 0.0, id="nothing"),
        ],
    )
    def test_a_duration(self, text: str, value: float) -> None:
        assert value == settings.read({"shutdown-grace": text}, {}).shutdown_grace

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param("1h", 3600.0, id="the shortest"),
            pytest.param("90m", 5400.0, id="in minutes"),
            pytest.param("30d", 2592000.0, id="days"),
            pytest.param("1w2d3h4m5s6ms", 788645.006, id="every unit, largest first"),
            pytest.param("0", 0.0, id="for ever"),
            pytest.param("0d", 0.0, id="for ever, with a unit"),
        ],
    )
    def test_a_retention(self, text: str, value: float) -> None:
        assert value == settings.read({"retention": text}, {}).retention

    def test_the_retention_may_be_a_plain_0_in_the_file(self, tmp_path: Path) -> None:
        assert settings.read(config(tmp_path, "retention: 0"), {}).retention == 0.0  # type: ignore[arg-type]

    def test_the_longest_retention_that_can_be_written_is_a_time(self) -> None:
        longest = settings.read({"retention": "999999w999999d"}, {}).retention
        assert timedelta(weeks=999_999, days=999_999) == timedelta(seconds=longest)

    def test_a_file_holds_lists_numbers_and_switches(self, tmp_path: Path) -> None:
        text = "policies: [a, b]\nnamespaces: shop-*, pay\nthreads: 4\nallow-anonymous: true\nmax-body: 1000000\n"
        found = settings.read(config(tmp_path, text), {})  # type: ignore[arg-type]

        assert (Path("a"), Path("b")) == found.policies
        assert ("shop-*", "pay") == found.namespaces
        assert (4, True, 1_000_000) == (found.threads, found.allow_anonymous, found.max_body)

    def test_the_flag_for_policies_is_repeated(self) -> None:
        assert (Path("a"), Path("b"), Path("c")) == settings.read({"policies": ("a,b", "c")}, {}).policies

    def test_an_empty_file_says_nothing(self, tmp_path: Path) -> None:
        assert settings.read(config(tmp_path, "# nothing yet\n"), {}) == settings.read({}, {})  # type: ignore[arg-type]

    def test_shown_holds_every_setting_as_plain_values(self) -> None:
        found = settings.shown(settings.read({"token-file": "/t", "policies": ("a",)}, {}))

        assert [setting.name for setting in settings.TABLE] == list(found)
        assert ("/t", ["a"], 16) == (found["token-file"], found["policies"], found["threads"])


class TestFaults:
    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            pytest.param(
                {"listen": "8080"},
                "--listen: '8080' is not HOST:PORT, such as 0.0.0.0:8080 or [::]:8080, with a port up to 65535",
                id="a port without a host",
            ),
            pytest.param(
                {"listen": "0.0.0.0:70000"},
                "--listen: '0.0.0.0:70000' is not HOST:PORT, such as 0.0.0.0:8080 or [::]:8080, "
                "with a port up to 65535",
                id="a port too high",
            ),
            pytest.param(
                {"mode": "enforce"},
                "--mode: 'enforce' is not a mode; write Observe, Approve or Enforce",
                id="a mode in small letters",
            ),
            pytest.param(
                {"notify-on": "HoldLost,Aplied"},
                "--notify-on: 'Aplied' is no kind of notice; the kinds are HoldLost, StillReceiving, StillRouted, "
                "LeverNotPulled, NotRecovered, Failed, AwaitingApproval, Denied, NoData, ApprovalExpired, Applied, "
                "Undone, Released, Planned, Held, Observed, Unrouted, Withdrawn, Recovered",
                id="a notice that there is not",
            ),
            pytest.param(
                {"threads": "0"}, "--threads: '0' is not a whole number from 1 to 1000", id="not a thread to serve with"
            ),
            pytest.param(
                {"max-body": "4MB"},
                "--max-body: '4MB' is not a size from 1KiB to 1GiB, such as 4MiB, 512KiB or 1000000 (bytes)",
                id="a unit that is not known",
            ),
            pytest.param(
                {"shutdown-grace": "20"},
                "--shutdown-grace: '20' is not a duration up to 1h, such as 20s or 1m30s",
                id="a duration without a unit",
            ),
            pytest.param(
                {"shutdown-grace": ""},
                "--shutdown-grace: is empty; leave it out for the default",
                id="an empty value",
            ),
            pytest.param(
                {"shutdown-grace": "1d"},
                "--shutdown-grace: '1d' is not a duration up to 1h, such as 20s or 1m30s",
                id="a duration too long",
            ),
            pytest.param(
                {"prometheus-url": "prometheus:9090"},
                "--prometheus-url: 'prometheus:9090' is not the URL of a server, such as http://prometheus.monitoring:9090",
                id="a server without http",
            ),
            pytest.param(
                {"prometheus-url": "http://[::1"},
                "--prometheus-url: 'http://[::1' is not the URL of a server, such as http://prometheus.monitoring:9090",
                id="half an address",
            ),
            pytest.param(
                {"prometheus-url": "http://p:9090/graph?g0.expr=up"},
                "--prometheus-url: 'http://p:9090/graph?g0.expr=up' is not the URL of a server, such as "
                "http://prometheus.monitoring:9090",
                id="a page of its own site",
            ),
            pytest.param(
                {"prometheus-url": "https://ann:hunter2@p:9090"},
                "--prometheus-url: 'https://…@p:9090' holds a user's name: settings are logged, and are no place for "
                "credentials",
                id="a password, which is not told on",
            ),
            pytest.param(
                {"verify-within": "29s"},
                "--verify-within: '29s' is not a duration from 30s to 30m, such as 2m",
                id="a verification too short to hold two scrapes",
            ),
            pytest.param(
                {"retention": "59m59s"},
                "--retention: '59m59s' is neither a duration from 1h up, such as 30d, 2w or 1d12h, nor 0",
                id="a retention too short",
            ),
            pytest.param(
                {"retention": "30"},
                "--retention: '30' is neither a duration from 1h up, such as 30d, 2w or 1d12h, nor 0",
                id="a retention without a unit",
            ),
            pytest.param(
                {"retention": "3h2d"},
                "--retention: '3h2d' is neither a duration from 1h up, such as 30d, 2w or 1d12h, nor 0",
                id="a retention with its smaller unit first",
            ),
            pytest.param(
                {"namespaces": "Shop"},
                "--namespaces: 'Shop' is not the name of a namespace or a glob over names, such as shop-*",
                id="a namespace that cannot be",
            ),
            pytest.param(
                {"policies": ("",)}, "--policies: names nothing; leave it out for the default", id="a list of nothing"
            ),
        ],
    )
    def test_a_wrong_flag(self, flags: dict[str, object], expected: str) -> None:
        assert [expected] == faults(flags)

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            pytest.param(
                {"REMEDIATOR_THREDS": "4"},
                "REMEDIATOR_THREDS: no such setting; did you mean REMEDIATOR_THREADS?",
                id="a variable with a slip",
            ),
            pytest.param(
                {"REMEDIATOR_ALLOW_ANONYMOUS": "yes"},
                "REMEDIATOR_ALLOW_ANONYMOUS: 'yes' is neither true nor false",
                id="a switch that is neither on nor off",
            ),
            pytest.param(
                {"REMEDIATOR_PORT": "8080"},
                "REMEDIATOR_PORT: no such setting; there are REMEDIATOR_ALLOW_ANONYMOUS, REMEDIATOR_APPROVE_WITHIN, "
                "REMEDIATOR_BUDGET, REMEDIATOR_CONFIG, REMEDIATOR_CONTEXT, REMEDIATOR_GITOPS_PAUSE, "
                "REMEDIATOR_KNOWN_BAD, REMEDIATOR_KUBECONFIG, REMEDIATOR_LISTEN, "
                "REMEDIATOR_MANIFESTS, REMEDIATOR_MAX_ALERT_AGE, REMEDIATOR_MAX_BODY, REMEDIATOR_MODE, "
                "REMEDIATOR_NAMESPACES, REMEDIATOR_NOTIFY_FILE, REMEDIATOR_NOTIFY_ON, "
                "REMEDIATOR_OPT_IN, REMEDIATOR_POLICIES, REMEDIATOR_PROMETHEUS_URL, "
                "REMEDIATOR_RETENTION, REMEDIATOR_ROOT_NAMESPACE, REMEDIATOR_SHUTDOWN_GRACE, "
                "REMEDIATOR_THREADS, REMEDIATOR_TLS_CERT_FILE, REMEDIATOR_TLS_KEY_FILE, REMEDIATOR_TOKEN_FILE, "
                "REMEDIATOR_VERIFY_WITHIN",
                id="a port is not a setting of its own",
            ),
        ],
    )
    def test_a_wrong_variable(self, environ: dict[str, str], expected: str) -> None:
        assert [expected] == faults({}, environ)

    def test_what_kubernetes_says_of_a_service_named_remediator_is_no_setting(self) -> None:
        """A Service of our own name gives each pod of its namespace these variables; it must start all the same."""
        links = {
            "REMEDIATOR_SERVICE_HOST": "10.0.0.1",
            "REMEDIATOR_SERVICE_PORT": "8080",
            "REMEDIATOR_SERVICE_PORT_HTTP": "8080",
            "REMEDIATOR_PORT": "tcp://10.0.0.1:8080",
            "REMEDIATOR_PORT_8080_TCP": "tcp://10.0.0.1:8080",
            "REMEDIATOR_PORT_8080_TCP_PROTO": "tcp",
            "REMEDIATOR_METRICS_SERVICE_HOST": "10.0.0.2",
            "REMEDIATOR_METRICS_PORT": "tcp://10.0.0.2:9090",
        }

        assert settings.read({}, links) == settings.read({}, {})

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("threds: 4", "{path}, key threds: no such setting; did you mean threads?", id="unknown key"),
            pytest.param("config: x", "{path}, key config: no such setting; did you mean kubeconfig?", id="itself"),
            pytest.param("threads: 4\nthreads: 5", "{path}, key threads: stands 2 times; keep one", id="a key twice"),
            pytest.param(
                "threads: [4]",
                "{path}, key threads: expected one text or number, or true or false; leave the key out for the default",
                id="a list where one is wanted",
            ),
            pytest.param(
                "policies:",
                "{path}, key policies: expected text, or a list of texts; leave the key out for the default",
                id="a key without a value",
            ),
            pytest.param(
                "- threads", "--config {path}: expected keys and values, such as `threads: 16`", id="not a mapping"
            ),
            pytest.param("a: [", "--config {path}: not YAML: while parsing a flow node", id="not YAML"),
            pytest.param("threads: 2030-13-45", "--config {path}: not YAML: month must be", id="a date that is none"),
        ],
    )
    def test_a_wrong_file(self, tmp_path: Path, text: str, expected: str) -> None:
        flags = config(tmp_path, text)
        found = faults(flags)

        assert len(found) == 1
        assert found[0].startswith(expected.format(path=flags["config"]))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "none.yaml"

        assert [f"--config {path}: cannot be read: No such file or directory"] == faults({"config": str(path)})

    @pytest.mark.parametrize("text", [None, "a: [", "- threads"], ids=["not there", "not YAML", "not a mapping"])
    def test_what_a_file_that_cannot_be_read_may_say_is_not_called_missing(
        self, tmp_path: Path, text: str | None
    ) -> None:
        flags: dict[str, object] = {"config": str(tmp_path / "none.yaml")}
        if text is not None:
            flags = config(tmp_path, text)
        (found,) = faults(flags, serving=True)

        assert found.startswith("--config ")

    def test_all_faults_of_all_sources_come_at_once(self, tmp_path: Path) -> None:
        flags = config(tmp_path, "mod: Observe\nlisten: nowhere\n") | {"mode": "off"}
        found = faults(flags, {"REMEDIATOR_THREADS": "many"}, serving=True)

        starts = [f"{flags['config']}, key mod", f"{flags['config']}, key listen", "--mode", "REMEDIATOR_THREADS"]
        assert sorted([*starts, "--token-file FILE is missing"]) == sorted(
            line.split(":")[0].split(";")[0] for line in found
        )

    def test_a_huge_value_is_not_repeated_in_full(self) -> None:
        assert len(faults({"threads": "9" * 100_000})[0]) < 200


class TestContradictions:
    @pytest.mark.parametrize("other", ["kubeconfig", "context", "namespaces"])
    def test_a_folder_is_instead_of_a_cluster(self, other: str) -> None:
        expected = (
            f"--manifests and REMEDIATOR_{other.upper()} exclude each other: the first names a folder that stands in"
            " for a cluster, the second belongs to a real one; give one of them"
        )
        assert [expected] == faults({"manifests": "m"}, {f"REMEDIATOR_{other.upper()}": "x"})

    def test_serving_needs_a_token_or_the_word_that_none_is_wanted(self) -> None:
        expected = "--token-file FILE is missing; or, where nobody but Alertmanager reaches the port, --allow-anonymous"

        assert [expected] == faults({}, serving=True)
        assert [expected] == faults({"allow-anonymous": "false"}, serving=True)

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            pytest.param(
                {"tls-cert-file": "c"},
                "--tls-cert-file is nothing without --tls-key-file FILE; give both, or neither for HTTP",
                id="a certificate without its key",
            ),
            pytest.param(
                {"tls-key-file": "k"},
                "--tls-key-file is nothing without --tls-cert-file FILE; give both, or neither for HTTP",
                id="a key without its certificate",
            ),
        ],
    )
    def test_half_of_what_https_needs(self, flags: dict[str, str], expected: str) -> None:
        assert [expected] == faults(flags | ANONYMOUS, serving=True)

    def test_both_together_contradict(self) -> None:
        assert ["REMEDIATOR_TOKEN_FILE and --allow-anonymous exclude each other; give one of them"] == faults(
            {**ANONYMOUS}, {"REMEDIATOR_TOKEN_FILE": "t"}, serving=True
        )

    def test_one_of_them_is_enough(self) -> None:
        assert settings.read(ANONYMOUS, {}, serving=True).allow_anonymous
        assert Path("t") == settings.read({"token-file": "t"}, {}, serving=True).token_file


@given(
    name=st.sampled_from([setting.name for setting in settings.TABLE]),
    text=st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
)
def test_any_text_is_taken_or_refused_with_its_flag_named(name: str, text: str) -> None:
    said = ""
    try:
        settings.read({name: text}, {})
    except SettingsError as error:
        said = str(error)
    assert said == "" or said.startswith(f"--{name}: ")
