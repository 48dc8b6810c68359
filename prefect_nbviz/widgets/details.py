import ipywidgets as ipw


class RunDetails(ipw.VBox):
    def __init__(self, page, zone, connection):
        super().__init__([ipw.HTML()])

    def show(self, run, states=None):
        self.children[0].value = f"<pre>{run.T.to_html()}</pre>"

    def on_follow(self, cb):
        pass
