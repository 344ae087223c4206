"""The report as one HTML file that opens offline: styles, scripts and plots are all inside."""

from __future__ import annotations

from pipelines.report.panels import panels, trust
from pipelines.report.panels.figure import TEMPLATE
from pipelines.report.templates import environment
from pipelines.report.view import View


def render(view: View) -> str:
    """HTML text of the whole report, plotly's library included once (about 5 MB)."""
    from plotly.offline import get_plotlyjs

    template = environment(html=True).get_template("report.html.j2")
    return template.render(
        view=view,
        panels={model.name: panels(model) for model in view.models},
        trust_plots=trust.of(view.results.trust) if view.results.trust else (),
        plotly_js=get_plotlyjs(),
        plotly_template=TEMPLATE,
    )
