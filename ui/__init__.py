"""The portal's views: all that imports streamlit. They parse, call one service and draw."""
