import ipywidgets as ipw


class CodeView(ipw.VBox):
    def show(self, query):
        pass
