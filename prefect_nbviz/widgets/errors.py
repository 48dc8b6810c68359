import ipywidgets as ipw
import traitlets


class ErrorsView(ipw.VBox):
    selected = traitlets.Tuple()

    def __init__(self, zone=None):
        super().__init__()

    def show_runs(self, runs):
        pass
