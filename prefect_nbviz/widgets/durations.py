import ipywidgets as ipw
import traitlets


class DurationsView(ipw.VBox):
    selected = traitlets.Tuple()

    def __init__(self, page, zone):
        super().__init__()

    def show_runs(self, runs, of=None):
        pass
