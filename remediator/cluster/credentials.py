"""Where the API server is and who we are to it, from the pod's service account or from kubeconfig files."""

from __future__ import annotations

import os
import re

from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION
from yaml import YAMLError

from remediator.errors import SettingsError


def credentials(kubeconfig: str | None, context: str | None) -> Configuration:
    """Load address and credentials.

    Args:
        kubeconfig, context: if either is given, kubeconfig files; else the pod's service account, else the usual
            kubeconfig (`KUBECONFIG`, `~/.kube/config`).

    Raises:
        SettingsError: there are none, or they are broken.
    """
    configuration = Configuration()
    absent = ""
    if kubeconfig is None and context is None:
        try:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            absent = f"not in a pod with a service account ({_one_line(error)}), and "
        else:
            return configuration
    paths = kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION
    where = f"kubeconfig {paths}" + (f", context {context}" if context else "")
    try:
        load_kube_config(  # type: ignore[no-untyped-call]
            kubeconfig, context, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError, YAMLError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise SettingsError(
            f"no credentials for a cluster: {absent}{where}: {_trouble(error, paths)}."
            " Name another with --kubeconfig and --context, or run in a pod with a service account"
        ) from error
    return configuration


def _trouble(error: Exception, paths: str) -> str:
    """What is wrong with kubeconfig files, in one line for an operator."""
    if not any(os.path.exists(os.path.expanduser(path)) for path in paths.split(os.pathsep) if path):
        return "no such file"
    if isinstance(error, TypeError | AttributeError | KeyError):
        return "it is YAML, but no kubeconfig"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return re.sub(r"^Invalid kube-config( file)?\. ", "", _one_line(error))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
