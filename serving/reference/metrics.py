"""Prometheus metrics, made of the models' statistics when they are asked for: a request pays for counting only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from serving.reference.errors import REFUSALS
from serving.reference.exchange import Reply, reply
from serving.reference.model import Model
from serving.reference.statistics import REASONS, Histogram

LABELS = ("model", "version")


class Metrics(Collector):
    """All metrics of the server; the process's own CPU and memory come from the library."""

    def __init__(self, models: Callable[[], Iterable[Model]]) -> None:
        self._models = models
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def reply(self) -> Reply:
        """The text exposition format."""
        return reply(200, f"content-type: {CONTENT_TYPE_LATEST}\r\n".encode(), [generate_latest(self._registry)])

    def collect(self) -> Iterator[Metric]:
        """Called by the library for each exposition."""
        requests = CounterMetricFamily("requests", "Requests that a runtime computed", labels=LABELS)
        errors = CounterMetricFamily("request_errors", "Of these, failed in the runtime", labels=LABELS)
        refused = CounterMetricFamily("requests_refused", "Requests not answered", labels=(*LABELS, "reason"))
        answers = CounterMetricFamily("error_responses", "Not successful", labels=("protocol", "status"))
        for labels, count in REFUSALS.items():
            answers.add_metric(labels, count)
        pending = GaugeMetricFamily("requests_pending", "Requests waiting or being computed", labels=LABELS)
        queue = HistogramMetricFamily("queue_seconds", "From arrival to the start of inference", labels=LABELS)
        inference = HistogramMetricFamily("inference_seconds", "One execution of the runtime", labels=LABELS)
        batch = HistogramMetricFamily("batch_rows", "Rows of one execution", labels=LABELS)
        for model in self._models():
            labels, found = (model.name, model.version), model.statistics.counts
            requests.add_metric(labels, found.success.count + found.fail.count)
            errors.add_metric(labels, found.fail.count)
            for reason in REASONS:
                refused.add_metric((*labels, reason), found.refused[reason])
            pending.add_metric(labels, model.pending)
            for family, histogram in (
                (queue, found.queue_s),
                (inference, found.inference_s),
                (batch, found.batch_rows),
            ):
                family.add_metric(labels, _buckets(histogram), histogram.sum)
        return iter((requests, errors, refused, answers, pending, queue, inference, batch))


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        found.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    return found
